//go:build race

package pades_test

import "time"

const raced = true

// costMost is what a hostile file may cost under the race detector, which is ten times slower.
const costMost = 40 * time.Second
