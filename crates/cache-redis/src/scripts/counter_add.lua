-- Adds to one share of a count. 't' is all of its units, 'p' those that nobody has taken. ARGV: units, milliseconds.
redis.call('HINCRBY', KEYS[1], 't', ARGV[1])
redis.call('HINCRBY', KEYS[1], 'p', ARGV[1])
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 1
