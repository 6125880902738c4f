-- Takes units from all limits or from none, at the moment `now`. The arithmetic is that of cache-engine/src/counting.rs: whole
-- numbers whose products stay below 2^53, so that doubles are exact. A shadow counts for itself and keeps nobody out.
-- ARGV: for each key RULE packed: 1 for a shadow, limit, window in microseconds, cost, algorithm.
-- Answers for each key: 1 or 0 whether it lets the request pass, units left, microseconds until a retry, until all are back.
local RULE = '>BI8I8I8s'
-- What is remembered: up to three whole numbers.
local STATE, STATE_BYTES = '>I8I8I8', 24
-- A count outlives what it says by this: the server's own expiry never ends a window.
local GRACE_MS = 1000

-- What is no state of a count counts for nothing.
local function remembered(key)
  local state = redis.call('GET', key)
  if state and #state == STATE_BYTES then return struct.unpack(STATE, state) end
end

-- Each answers: whether the request passes, units left, microseconds until a retry, until all are back, until the count says
-- nothing any more, and what to remember.
local count = {}

function count.fixed(limit, window, cost, taken, ends)
  if not ends or ends <= now then taken, ends = 0, now + window end
  if ends > now + window then ends = now + window end
  local allowed = taken + cost <= limit
  if allowed then taken = taken + cost end
  local left = ends - now
  return allowed, limit - taken, left, left, left, taken, ends
end

local function sliding_wait(previous, taken, limit, window, cost, elapsed)
  if taken + cost <= limit then
    local may_weigh = math.floor((limit - taken - cost) * window / math.max(1, previous))
    return math.max(0, window - elapsed - may_weigh)
  end
  if cost > limit then return 2 * window - elapsed end
  return 2 * window - elapsed - math.min(window, math.floor((limit - cost) * window / math.max(1, taken)))
end

function count.sliding(limit, window, cost, previous, taken, began)
  if not began or began + 2 * window <= now then previous, taken, began = 0, 0, now end
  if began > now then began = now end
  if now >= began + window then previous, taken, began = taken, 0, began + window end
  local elapsed = now - began
  local fading = previous * (window - elapsed)
  local allowed = fading + (taken + cost) * window <= limit * window
  local wait = allowed and 0 or sliding_wait(previous, taken, limit, window, cost, elapsed)
  if allowed then taken = taken + cost end
  local left = math.max(0, math.floor((limit * window - fading - taken * window) / window))
  local reset = 2 * window - elapsed
  if taken == 0 then reset = previous > 0 and window - elapsed or 0 end
  return allowed, left, wait, reset, 2 * window - elapsed, previous, taken, began
end

function count.token(limit, window, cost, level, at)
  local full, wanted = limit * window, cost * window
  if at then
    level = math.min(full, level + math.max(0, math.min(now - at, window)) * limit)
  else
    level = full
  end
  local allowed = wanted <= level
  local after = allowed and level - wanted or level
  local reset = math.ceil((full - after) / limit)
  return allowed, math.floor(after / window), math.ceil((wanted - level) / limit), reset, reset, after, now
end

function count.leaky(limit, window, cost, at, part)
  local full, backlog = limit * window, 0
  if at and at + math.min(part, 1) > now then
    backlog = math.min(full, math.max(0, math.min(at - now, window)) * limit + part)
  end
  local wanted = backlog + cost * window
  local allowed = wanted <= full
  local after = allowed and wanted or backlog
  local reset = math.ceil(after / limit)
  local empty_at, left = now + math.floor(after / limit), math.floor((full - after) / window)
  return allowed, left, math.ceil((wanted - full) / limit), reset, reset, empty_at, after % limit
end

local answers, states, lives, passes = {}, {}, {}, true
for i, key in ipairs(KEYS) do
  local shadow, limit, window, cost, algorithm = struct.unpack(RULE, ARGV[i])
  local allowed, left, wait, reset, life, one, two, three = count[algorithm](limit, window, cost, remembered(key))
  local at = 4 * i - 3
  answers[at], answers[at + 1] = allowed and 1 or 0, left
  answers[at + 2], answers[at + 3] = allowed and 0 or wait, reset
  if allowed then states[i], lives[i] = struct.pack(STATE, one, two, three or 0), math.ceil(life / 1000) + GRACE_MS end
  passes = passes and (allowed or shadow == 1)
end
if passes then
  for i, key in ipairs(KEYS) do
    if states[i] then redis.call('SET', key, states[i], 'PX', lives[i]) end
  end
end
return answers
