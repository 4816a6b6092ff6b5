package machine

import "time"

// SetAlive makes a machine ask its host for a sign of life that often, and give
// it up after so long.
func SetAlive(o *SSHOptions, every, dead time.Duration) { o.aliveEvery, o.deadAfter = every, dead }

// SetAnswerWithin bounds the whole answer of a host.
func SetAnswerWithin(o *SSHOptions, within time.Duration) { o.answerWithin = within }
