-- Double entry as one would write it by hand: an account row holds both sums and its bound, a transfer is one row with an id of its
-- own. Accounts 1 to 5,000 give and have plenty, 5,001 to 10,000 receive.
create table account (
    id int primary key,
    debits bigint not null default 0,
    credits bigint not null default 0,
    bounded boolean not null,
    check (not bounded or debits <= credits)
);
create table transfer (
    id uuid primary key default gen_random_uuid(),
    debit int not null references account,
    credit int not null references account,
    amount bigint not null check (amount > 0),
    code smallint not null,
    cause uuid not null,
    at timestamptz not null default now()
);
insert into account(id, credits, bounded) select n, 1099511627776, true from generate_series(1, 5000) n;
insert into account(id, bounded) select n, false from generate_series(5001, 10000) n;
