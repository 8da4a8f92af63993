\set d random(1, 5000)
\set c random(5001, 10000)
\set a random(1, 1000)
begin;
update account set debits = debits + :a where id = :d;
update account set credits = credits + :a where id = :c;
insert into transfer(debit, credit, amount, code, cause) values (:d, :c, :a, 31, '00000000-0000-0000-0000-000000000001');
commit;
