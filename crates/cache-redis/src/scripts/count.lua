-- Takes units from all limits or from none, at the moment `now`. The arithmetic is that of cache-engine/src/counting: whole
-- numbers whose products stay below 2^53, so that doubles are exact. A shadow counts for itself and keeps nobody out.
-- ARGV: for each key RULE packed: 1 for a shadow, limit, window in microseconds, cost, algorithm.
-- Answers for each key ANSWER packed: 1 or 0 whether it lets the request pass, units left, microseconds until a retry, until all
-- are back. One string, and no function: every table and every closure would be made, and collected, at each call.
local RULE, ANSWER = '>BI8I8I8s', '>Bi8i8i8'
-- What is remembered: up to three whole numbers.
local STATE, STATE_BYTES = '>I8I8I8', 24
-- A count outlives what it says by this: the server's own expiry never ends a window.
local GRACE_MS = 1000
local floor, ceil, min, max = math.floor, math.ceil, math.min, math.max

local answers, states, lives, passes = '', {false, false, false}, {0, 0, 0}, true
for i, key in ipairs(KEYS) do
  local shadow, limit, window, cost, algorithm = struct.unpack(RULE, ARGV[i])
  -- What is no state of a count counts for nothing.
  local state = redis.call('GET', key)
  local one, two, three
  if state and #state == STATE_BYTES then one, two, three = struct.unpack(STATE, state) end
  -- Whether it passes, units left, microseconds until a retry, until all are back, until the count says nothing any more.
  local allowed, left, wait, reset, life

  if algorithm == 'fixed' then
    local taken, ends = one, two
    if not ends or ends <= now then taken, ends = 0, now + window end
    if ends > now + window then ends = now + window end
    allowed = taken + cost <= limit
    if allowed then taken = taken + cost end
    left, wait, reset, life = limit - taken, ends - now, ends - now, ends - now
    one, two, three = taken, ends, 0

  elseif algorithm == 'sliding' then
    local previous, taken, began = one, two, three
    if not began or began + 2 * window <= now then previous, taken, began = 0, 0, now end
    if began > now then began = now end
    if now >= began + window then previous, taken, began = taken, 0, began + window end
    local elapsed = now - began
    local fading = previous * (window - elapsed)
    allowed = fading + (taken + cost) * window <= limit * window
    life = 2 * window - elapsed
    if taken + cost <= limit then
      wait = max(0, window - elapsed - floor((limit - taken - cost) * window / max(1, previous)))
    elseif cost > limit then
      wait = life
    else
      wait = life - min(window, floor((limit - cost) * window / max(1, taken)))
    end
    if allowed then taken = taken + cost end
    left = max(0, floor((limit * window - fading - taken * window) / window))
    reset = life
    if taken == 0 then reset = previous > 0 and window - elapsed or 0 end
    one, two, three = previous, taken, began

  elseif algorithm == 'token' then
    local full, wanted, level, at = limit * window, cost * window, one, two
    level = at and min(full, level + max(0, min(now - at, window)) * limit) or full
    allowed = wanted <= level
    wait = ceil((wanted - level) / limit)
    if allowed then level = level - wanted end
    left, reset = floor(level / window), ceil((full - level) / limit)
    life = reset
    one, two, three = level, now, 0

  elseif algorithm == 'leaky' then
    local full, wanted, backlog, at, part = limit * window, cost * window, 0, one, two
    if at and at + min(part, 1) > now then backlog = min(full, max(0, min(at - now, window)) * limit + part) end
    allowed = backlog + wanted <= full
    wait = ceil((backlog + wanted - full) / limit)
    if allowed then backlog = backlog + wanted end
    left, reset = floor((full - backlog) / window), ceil(backlog / limit)
    life = reset
    one, two, three = now + floor(backlog / limit), backlog % limit, 0
  end

  answers = answers .. struct.pack(ANSWER, allowed and 1 or 0, left, allowed and 0 or wait, reset)
  if allowed then states[i], lives[i] = struct.pack(STATE, one, two, three), ceil(life / 1000) + GRACE_MS end
  passes = passes and (allowed or shadow == 1)
end
if passes then
  for i, key in ipairs(KEYS) do
    if states[i] then redis.call('SET', key, states[i], 'PX', lives[i]) end
  end
end
return answers
