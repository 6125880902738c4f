-- Since when somebody is a customer, by the tenant's own books; a condition of eligibility rules. Nothing while unknown.
alter table quote.customer add column customer_since date;
