//go:build race

package step_test

const raceDetector = true
