//go:build !race

package child

const raceDetector = false

func environment() []string { return []string{} }
