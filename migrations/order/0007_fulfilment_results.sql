-- How many results of a task were recorded; attempts that are repeated do not count. The version its facts carry.
alter table "order".task add column results bigint not null default 0 check (results >= 0);
