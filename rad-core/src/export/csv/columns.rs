//! The columns of the CSV, in their order, and which kinds of entries have which.

use crate::revenue::EntryKind;

macro_rules! columns {
    ($($column:ident $name:literal)*) => {
        /// A column of the CSV.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Column {
            $($column,)*
        }

        /// The columns of the CSV, in their order.
        pub const COLUMNS: [&str; Column::COUNT] = [$($name),*];

        impl Column {
            pub(super) const COUNT: usize = [$($name),*].len();
        }
    };
}

columns! {
    Account "account"
    Seq "seq"
    At "at"
    Key "key"
    Actor "actor"
    Kind "kind"
    Source "source"
    Bucket "bucket"
    Credits "credits"
    Cost "cost"
    PaidAmount "paid_amount"
    PaidCurrency "paid_currency"
    PaidRate "paid_rate"
    Expires "expires"
    Reference "reference"
    Hold "hold"
    Charge "charge"
    Lot "lot"
    Burn "burn"
    Deployment "deployment"
    Module "module"
    Commit "commit"
    Publisher "publisher"
    Agent "agent"
    PartnerShare "partner_share"
    AgentShare "agent_share"
    RuleVersion "rule_version"
    Basis "basis"
    UnitPrice "unit_price"
    AllowanceEarns "allowance_earns"
    Rounding "rounding"
    Currency "currency"
    Effective "effective"
    Overrides "overrides"
    Reason "reason"
    Cause "cause"
    Project "project"
    Hash "hash"
    Parts "parts"
    Lines "lines"
    BalanceAwarded "balance_awarded"
    BalancePurchased "balance_purchased"
    BalanceHeldAwarded "balance_held_awarded"
    BalanceHeldPurchased "balance_held_purchased"
    BalanceFrozen "balance_frozen"
    BalanceDebt "balance_debt"
}

impl Column {
    /// The place of the column, counted from 0.
    pub(super) const fn place(self) -> usize {
        self as usize
    }

    /// The set with this column only.
    pub(super) const fn bit(self) -> u64 {
        1_u64.wrapping_shl(self as u32)
    }

    /// Whether it holds a list, which only the limit of the line bounds.
    pub(super) const fn is_list(self) -> bool {
        matches!(self, Self::Overrides | Self::Parts | Self::Lines)
    }
}

/// What every entry has.
const HEAD: u64 = set(&[Column::Account, Column::Seq, Column::At, Column::Key, Column::Kind]);

/// What every entry can have.
const ANY: u64 = set(&[Column::Actor, Column::Hash]) | RECORDED;

/// The columns that say what the books say an entry did.
pub(super) const RECORDED: u64 = set(&[Column::Parts, Column::Lines]) | BALANCE;

/// The balance right after the entry: all of it, or nothing recorded.
pub(super) const BALANCE: u64 = set(&[
    Column::BalanceAwarded,
    Column::BalancePurchased,
    Column::BalanceHeldAwarded,
    Column::BalanceHeldPurchased,
    Column::BalanceFrozen,
    Column::BalanceDebt,
]);

const fn set(columns: &[Column]) -> u64 {
    let mut bits = 0;
    let mut rest = columns;
    while let [first, others @ ..] = rest {
        bits |= first.bit();
        rest = others;
    }
    bits
}

/// The names of all kinds.
pub(in crate::export) const KINDS: &str = "grant, hold, capture, release, refund, freeze, unfreeze, reversal, expiry, \
    project_debit, adjustment or share_rules";

impl EntryKind {
    /// Entries of the kind, as errors call them.
    pub(super) const fn plural(self) -> &'static str {
        match self {
            Self::Grant => "grants",
            Self::Hold => "holds",
            Self::Capture => "captures",
            Self::Release => "releases",
            Self::Refund => "refunds",
            Self::Freeze => "freezes",
            Self::Unfreeze => "unfreezes",
            Self::Reversal => "reversals",
            Self::Expiry => "expiries",
            Self::ProjectDebit => "project debits",
            Self::Adjustment => "adjustments",
            Self::ShareRules => "share rules",
        }
    }

    /// The columns that a row of the kind must fill.
    pub(super) const fn needed(self) -> u64 {
        use Column as C;
        HEAD | match self {
            Self::Grant => const { set(&[C::Source, C::Bucket, C::Credits, C::Cost]) },
            Self::Hold => const { set(&[C::Credits, C::Burn]) },
            Self::Capture => {
                const { set(&[C::Hold, C::Credits, C::Deployment, C::Module, C::Commit]) | RULES }
            }
            Self::Release => const { set(&[C::Hold]) },
            Self::Refund => const { set(&[C::Charge, C::Credits, C::Reason]) },
            Self::Freeze | Self::Unfreeze | Self::Expiry => const { set(&[C::Lot]) },
            Self::Reversal => const { set(&[C::Lot, C::Credits, C::Cause]) },
            Self::ProjectDebit => const { set(&[C::Credits, C::Project]) },
            Self::Adjustment => const { set(&[C::Bucket, C::Credits, C::Reason]) },
            Self::ShareRules => const { RULES | C::Effective.bit() },
        }
    }

    /// The columns that a row of the kind can fill.
    pub(super) const fn allowed(self) -> u64 {
        use Column as C;
        self.needed()
            | ANY
            | match self {
                Self::Grant => const { PAID | set(&[C::Expires, C::Reference]) },
                Self::Hold => const { set(&[C::Expires, C::Deployment, C::Module]) },
                Self::Capture => const { set(&[C::Publisher, C::Agent, C::UnitPrice, C::AllowanceEarns]) },
                Self::ProjectDebit => const { set(&[C::Deployment]) },
                Self::ShareRules => const { set(&[C::UnitPrice, C::AllowanceEarns, C::Overrides]) },
                _ => 0,
            }
    }
}

/// A payment: all of it, or none.
pub(super) const PAID: u64 = set(&[Column::PaidAmount, Column::PaidCurrency, Column::PaidRate]);

/// What captures and share rules both say.
const RULES: u64 = set(&[
    Column::PartnerShare,
    Column::AgentShare,
    Column::RuleVersion,
    Column::Basis,
    Column::Rounding,
    Column::Currency,
]);
