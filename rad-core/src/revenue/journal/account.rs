//! The chart of accounts: the same names in hledger and in beancount.

use std::fmt;

use crate::id::AccountId;
use crate::revenue::LineKind;

/// An account of the chart. Debits are positive: assets and expenses grow by them, liabilities and income by credits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ChartAccount {
    /// What was paid for credits, net of tax.
    CashReceived,
    /// What of it was paid back, refunded or lost in disputes.
    CashReturned,
    /// Credits owed, in credits.
    DebtsReceivable,
    /// What was paid for credits that can still be spent.
    DeferredCredits,
    /// What was earned and does not make a whole minor unit yet.
    DeferredUnrounded,
    /// What a partner earned.
    PartnerPayable(AccountId),
    /// What an agent earned.
    AgentPayable(AccountId),
    /// The other side of [`DebtsReceivable`](Self::DebtsReceivable), in credits.
    Claims,
    /// Revenue of charges.
    RevenueCharges,
    /// Revenue of charges that later payments repaid.
    RevenueRepayments,
    /// Revenue taken back by refunds of charges.
    RevenueRefunds,
    /// Revenue taken back because its payment was.
    RevenueReversals,
    /// What credits yielded beyond what they had cost.
    Basis,
    /// What the credits had cost that projects took.
    Projects,
    /// What the credits had cost that became void.
    Breakage,
    /// What the credits had cost that adjustments removed.
    Removed,
    /// Shares earned by partners.
    PartnerShares,
    /// Shares of partners taken back.
    PartnerClawback,
    /// Shares earned by agents.
    AgentShares,
    /// Shares of agents taken back.
    AgentClawback,
}

/// What an account is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// Millionths of a unit of the platform's currency.
    Money,
    /// Millionths of a credit.
    Credits,
}

/// What an account is, for reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// What is had.
    Asset,
    /// What is owed.
    Liability,
    /// What is neither earned nor spent.
    Equity,
    /// What is earned.
    Income,
    /// What is spent.
    Expense,
}

impl ChartAccount {
    /// Every account that does not belong to a partner or an agent, in the order of the chart.
    pub const FIXED: [Self; 18] = [
        Self::CashReceived,
        Self::CashReturned,
        Self::DebtsReceivable,
        Self::DeferredCredits,
        Self::DeferredUnrounded,
        Self::Claims,
        Self::RevenueCharges,
        Self::RevenueRepayments,
        Self::RevenueRefunds,
        Self::RevenueReversals,
        Self::Basis,
        Self::Projects,
        Self::Breakage,
        Self::Removed,
        Self::PartnerShares,
        Self::PartnerClawback,
        Self::AgentShares,
        Self::AgentClawback,
    ];

    /// Where the revenue of a line is booked.
    pub const fn of_revenue(kind: LineKind) -> Self {
        match kind {
            LineKind::Charge => Self::RevenueCharges,
            LineKind::Repayment => Self::RevenueRepayments,
            LineKind::Refund => Self::RevenueRefunds,
            LineKind::Reversal => Self::RevenueReversals,
        }
    }

    /// What it is counted in.
    pub const fn unit(self) -> Unit {
        match self {
            Self::DebtsReceivable | Self::Claims => Unit::Credits,
            _ => Unit::Money,
        }
    }

    /// What it is.
    pub const fn class(self) -> Class {
        match self {
            Self::CashReceived | Self::CashReturned | Self::DebtsReceivable => Class::Asset,
            Self::DeferredCredits
            | Self::DeferredUnrounded
            | Self::PartnerPayable(_)
            | Self::AgentPayable(_) => Class::Liability,
            Self::Claims => Class::Equity,
            Self::RevenueCharges
            | Self::RevenueRepayments
            | Self::RevenueRefunds
            | Self::RevenueReversals
            | Self::Basis
            | Self::Projects
            | Self::Breakage
            | Self::Removed => Class::Income,
            Self::PartnerShares | Self::PartnerClawback | Self::AgentShares | Self::AgentClawback => {
                Class::Expense
            }
        }
    }

    /// What is booked in it, in a few words.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::CashReceived => "paid for credits, net of tax",
            Self::CashReturned => "of that paid back, refunded or lost in disputes",
            Self::DebtsReceivable => "credits owed, a claim without value until a payment repays it",
            Self::DeferredCredits => "paid for credits that can still be spent",
            Self::DeferredUnrounded => "earned and not a whole minor unit yet",
            Self::PartnerPayable(_) => "earned by this partner",
            Self::AgentPayable(_) => "earned by this agent",
            Self::Claims => "the other side of the credits owed",
            Self::RevenueCharges => "true revenue of module charges",
            Self::RevenueRepayments => "true revenue of charges that a later payment repaid",
            Self::RevenueRefunds => "true revenue taken back by refunds of charges",
            Self::RevenueReversals => "true revenue taken back because its payment was",
            Self::Basis => "what credits yielded above (debit) or below (credit) what they had cost",
            Self::Projects => "cost of the credits that running projects took",
            Self::Breakage => "cost of the credits that became void",
            Self::Removed => "cost of the credits that adjustments removed",
            Self::PartnerShares => "shares earned by partners",
            Self::PartnerClawback => "shares of partners taken back",
            Self::AgentShares => "shares earned by agents",
            Self::AgentClawback => "shares of agents taken back",
        }
    }
}

impl fmt::Display for ChartAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::CashReceived => "Assets:Cash:Received",
            Self::CashReturned => "Assets:Cash:Returned",
            Self::DebtsReceivable => "Assets:Receivable:Debts",
            Self::DeferredCredits => "Liabilities:Deferred:Credits",
            Self::DeferredUnrounded => "Liabilities:Deferred:Unrounded",
            Self::PartnerPayable(id) => return write!(f, "Liabilities:Payable:Partners:P-{id}"),
            Self::AgentPayable(id) => return write!(f, "Liabilities:Payable:Agents:A-{id}"),
            Self::Claims => "Equity:Claims",
            Self::RevenueCharges => "Income:Revenue:Charges",
            Self::RevenueRepayments => "Income:Revenue:Repayments",
            Self::RevenueRefunds => "Income:Revenue:Refunds",
            Self::RevenueReversals => "Income:Revenue:Reversals",
            Self::Basis => "Income:Basis",
            Self::Projects => "Income:Projects",
            Self::Breakage => "Income:Breakage",
            Self::Removed => "Income:Removed",
            Self::PartnerShares => "Expenses:Partners:PartnerShares",
            Self::PartnerClawback => "Expenses:Partners:PartnerClawback",
            Self::AgentShares => "Expenses:Agents:AgentShares",
            Self::AgentClawback => "Expenses:Agents:AgentClawback",
        };
        f.write_str(name)
    }
}
