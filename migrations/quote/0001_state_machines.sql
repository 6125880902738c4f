-- The legal state changes of the quote service, as data. The Rust table in crates/quote/src/rules/transitions.rs says the
-- same; a test compares the two. An empty from_state is creation.
create table quote.state_transition (
    machine text not null,
    from_state text not null,
    to_state text not null,
    primary key (machine, from_state, to_state)
);

insert into quote.state_transition (machine, from_state, to_state) values
    ('quote', '', 'open'),
    ('quote', 'open', 'won'),
    ('quote', 'open', 'lost'),
    ('quote', 'open', 'cancelled'),
    ('quote', 'won', 'closed'),
    ('revision', '', 'draft'),
    ('revision', 'draft', 'inApproval'),
    ('revision', 'draft', 'approved'),
    ('revision', 'draft', 'unableToProvide'),
    ('revision', 'draft', 'cancelled'),
    ('revision', 'inApproval', 'approved'),
    ('revision', 'inApproval', 'draft'),
    ('revision', 'inApproval', 'cancelled'),
    ('revision', 'approved', 'presented'),
    ('revision', 'approved', 'draft'),
    ('revision', 'approved', 'cancelled'),
    ('revision', 'presented', 'accepted'),
    ('revision', 'presented', 'declined'),
    ('revision', 'presented', 'changesRequested'),
    ('revision', 'presented', 'expired'),
    ('revision', 'presented', 'superseded'),
    ('revision', 'accepted', 'ordered'),
    ('approval', '', 'pending'),
    ('approval', 'pending', 'approved'),
    ('approval', 'pending', 'rejected'),
    ('approval', 'pending', 'recalled'),
    ('approval', 'pending', 'invalidated'),
    ('approval', 'approved', 'invalidated');

-- Refuses a state change that is not listed. The argument of the trigger names the machine.
create function quote.check_transition() returns trigger
    language plpgsql
    as $$
declare
    prior text := case tg_op when 'INSERT' then '' else old.state end;
begin
    if not exists (
        select 1 from quote.state_transition
        where machine = tg_argv[0] and from_state = prior and to_state = new.state
    ) then
        raise exception 'illegal % transition from "%" to "%"', tg_argv[0], prior, new.state
            using errcode = 'check_violation', constraint = 'legal_transition';
    end if;
    return new;
end
$$;

-- An aggregate's version counts its changes without gaps, so that a consumer can prove it missed none.
create function quote.check_version() returns trigger
    language plpgsql
    as $$
begin
    if new.version <> old.version + 1 then
        raise exception 'version must go from % to %, not to %', old.version, old.version + 1, new.version
            using errcode = 'check_violation', constraint = 'gap_free_version';
    end if;
    return new;
end
$$;
