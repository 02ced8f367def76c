//go:build !race

package pades_test

import "time"

// costMost is what a hostile file may cost.
const costMost = 5 * time.Second
