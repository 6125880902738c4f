-- The legal state changes of the order service, as data. The Rust table in crates/order/src/rules/transitions.rs says the
-- same; a test compares the two. An empty from_state is creation.
create table "order".state_transition (
    machine text not null,
    from_state text not null,
    to_state text not null,
    primary key (machine, from_state, to_state)
);

insert into "order".state_transition (machine, from_state, to_state) values
    ('order', '', 'acknowledged'),
    ('order', 'acknowledged', 'rejected'),
    ('order', 'acknowledged', 'pending'),
    ('order', 'acknowledged', 'inProgress'),
    ('order', 'inProgress', 'pending'),
    ('order', 'inProgress', 'held'),
    ('order', 'inProgress', 'completed'),
    ('order', 'inProgress', 'failed'),
    ('order', 'inProgress', 'partial'),
    ('order', 'inProgress', 'assessingCancellation'),
    ('order', 'inProgress', 'pendingCancellation'),
    ('order', 'pending', 'inProgress'),
    ('order', 'pending', 'cancelled'),
    ('order', 'pending', 'assessingCancellation'),
    ('order', 'held', 'inProgress'),
    ('order', 'held', 'cancelled'),
    ('order', 'held', 'assessingCancellation'),
    ('order', 'assessingCancellation', 'inProgress'),
    ('order', 'assessingCancellation', 'pending'),
    ('order', 'assessingCancellation', 'held'),
    ('order', 'assessingCancellation', 'pendingCancellation'),
    ('order', 'pendingCancellation', 'cancelled'),
    ('item', '', 'acknowledged'),
    ('item', 'acknowledged', 'inProgress'),
    ('item', 'acknowledged', 'pending'),
    ('item', 'acknowledged', 'rejected'),
    ('item', 'inProgress', 'pending'),
    ('item', 'inProgress', 'held'),
    ('item', 'inProgress', 'completed'),
    ('item', 'inProgress', 'failed'),
    ('item', 'inProgress', 'assessingCancellation'),
    ('item', 'pending', 'inProgress'),
    ('item', 'pending', 'cancelled'),
    ('item', 'pending', 'assessingCancellation'),
    ('item', 'held', 'inProgress'),
    ('item', 'held', 'failed'),
    ('item', 'held', 'cancelled'),
    ('item', 'held', 'assessingCancellation'),
    ('item', 'assessingCancellation', 'inProgress'),
    ('item', 'assessingCancellation', 'pending'),
    ('item', 'assessingCancellation', 'held'),
    ('item', 'assessingCancellation', 'pendingCancellation'),
    ('item', 'pendingCancellation', 'cancelled'),
    ('task', '', 'planned'),
    ('task', '', 'ready'),
    ('task', 'planned', 'ready'),
    ('task', 'planned', 'cancelled'),
    ('task', 'ready', 'locked'),
    ('task', 'ready', 'cancelled'),
    ('task', 'locked', 'completed'),
    ('task', 'locked', 'skipped'),
    ('task', 'locked', 'retryWait'),
    ('task', 'locked', 'fallout'),
    ('task', 'retryWait', 'locked'),
    ('task', 'retryWait', 'cancelled'),
    ('task', 'fallout', 'ready'),
    ('task', 'fallout', 'cancelled'),
    ('cancellation', '', 'acknowledged'),
    ('cancellation', 'acknowledged', 'inProgress'),
    ('cancellation', 'acknowledged', 'terminatedWithError'),
    ('cancellation', 'inProgress', 'done'),
    ('cancellation', 'inProgress', 'terminatedWithError');

-- Refuses a state change that is not listed. The argument of the trigger names the machine.
create function "order".check_transition() returns trigger
    language plpgsql
    as $$
declare
    prior text := case tg_op when 'INSERT' then '' else old.state end;
begin
    if not exists (
        select 1 from "order".state_transition
        where machine = tg_argv[0] and from_state = prior and to_state = new.state
    ) then
        raise exception 'illegal % transition from "%" to "%"', tg_argv[0], prior, new.state
            using errcode = 'check_violation', constraint = 'legal_transition';
    end if;
    return new;
end
$$;

-- An aggregate's version counts its changes without gaps, so that a consumer can prove it missed none.
create function "order".check_version() returns trigger
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
