-- Orders for credits, and the sandbox provider's own records. Credits and prices are micro-units.

CREATE TABLE orders (
    id         bytea       NOT NULL PRIMARY KEY CHECK (octet_length(id) = 16),
    account    bytea       NOT NULL CHECK (octet_length(account) = 16),
    credits    bigint      NOT NULL CHECK (credits > 0),
    price      bigint      NOT NULL CHECK (price >= 0),
    currency   text        NOT NULL,
    provider   text        NOT NULL,
    reference  text,
    status     text        NOT NULL CHECK (status IN ('created', 'paid', 'failed', 'mismatch')),
    created_at timestamptz NOT NULL
);

CREATE INDEX orders_by_account ON orders (account, created_at, id);
CREATE INDEX orders_paid ON orders (status) WHERE status = 'paid';

CREATE TABLE sandbox_payments (
    reference  text   NOT NULL PRIMARY KEY,
    order_id   bytea  NOT NULL UNIQUE CHECK (octet_length(order_id) = 16),
    amount     bigint NOT NULL,
    currency   text   NOT NULL,
    return_url text   NOT NULL,
    state      text   NOT NULL CHECK (state IN ('pending', 'paid', 'failed'))
);
