//go:build !race

package pades_test

import "time"

const raced = false

// costMost is what a hostile file may cost.
const costMost = 5 * time.Second
