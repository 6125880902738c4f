-- What every script of the protocol needs. The layout of the header is that of cache-engine/src/frame.rs; the decisions are
-- those of cache-engine/src/protocol.rs, and one model runs both.
local NOBODY = string.rep('\0', 16)
local ZERO = string.rep('\0', 8)

-- The header of what lies under a key; nil for nothing and for garbage; nil, true for a newer format.
local function header_of(key)
  local bytes = redis.call('GETRANGE', key, 0, 63)
  if #bytes < 64 or string.sub(bytes, 1, 2) ~= 'qF' then return nil, false end
  if string.byte(bytes, 3) ~= 1 then return nil, true end
  local kind = string.sub(bytes, 4, 4)
  if kind ~= 'V' and kind ~= 'T' and kind ~= 'N' and kind ~= 'L' then return nil, false end
  return {
    bytes = bytes,
    kind = kind,
    version = string.sub(bytes, 5, 12),
    token = string.sub(bytes, 13, 28),
    floor = struct.unpack('>I4', string.sub(bytes, 29, 32)),
  }, false
end

-- Versions are eight big-endian bytes, compared in halves: a Lua number holds 53 bits, and comparing strings asks the locale.
local function older(one, other)
  local one_high, one_low = struct.unpack('>I4I4', one)
  local other_high, other_low = struct.unpack('>I4I4', other)
  if one_high ~= other_high then return one_high < other_high end
  return one_low < other_low
end

-- Takes the lease fields off the frame under a key.
local function unmark(key)
  redis.call('SETRANGE', key, 12, NOBODY .. string.rep('\0', 4))
end
