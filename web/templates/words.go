package templates

import (
	_ "embed"
	"encoding/hex"
	"strconv"
	"strings"
)

// 2048 short, plain, distinct English words, sorted. Never change the order or a word:
// people have the words of their documents in messages and receipts.
//
//go:embed words.txt
var wordFile string

var wordList = strings.Fields(wordFile)

// Words are the four words of a SHA-256, for recognising a file: hex digits 25 to 35 are
// four times eleven bits. They are the same in every language.
func Words(sha256 []byte) []string {
	digits := hex.EncodeToString(sha256)
	if len(digits) < 35 {
		return nil
	}
	bits, err := strconv.ParseUint(digits[24:35], 16, 64)
	if err != nil {
		return nil
	}
	words := make([]string, 4)
	for i := range words {
		words[i] = wordList[bits>>(33-11*i)&2047]
	}
	return words
}

// HexGroups writes a digest in groups of eight digits.
func HexGroups(digest []byte) string {
	digits := hex.EncodeToString(digest)
	var groups []string
	for len(digits) > 8 {
		groups = append(groups, digits[:8])
		digits = digits[8:]
	}
	return strings.Join(append(groups, digits), " ")
}
