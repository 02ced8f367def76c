package dtmclient

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// looseString takes a JSON string, number or boolean: phone numbers and SCAL come as either.
type looseString string

func (s *looseString) UnmarshalJSON(b []byte) error {
	switch {
	case bytes.Equal(b, []byte("null")):
		return nil
	case len(b) > 0 && b[0] == '"':
		var v string
		if err := json.Unmarshal(b, &v); err != nil {
			return err
		}
		*s = looseString(v)
		return nil
	case len(b) > 0 && (b[0] == '{' || b[0] == '['):
		return errors.New("a text was expected")
	}
	*s = looseString(b)
	return nil
}

// looseInt takes a JSON number or a string of digits.
type looseInt int64

func (n *looseInt) UnmarshalJSON(b []byte) error {
	var s looseString
	if err := s.UnmarshalJSON(b); err != nil || s == "" {
		return err
	}
	f, err := strconv.ParseFloat(string(s), 64)
	if err != nil || f != f || f > 1<<53 || f < -(1<<53) {
		return errors.New("a number was expected")
	}
	*n = looseInt(f)
	return nil
}

// looseTime takes RFC 3339 or a date; anything else is no time.
type looseTime struct{ time.Time }

func (t *looseTime) UnmarshalJSON(b []byte) error {
	var s looseString
	if s.UnmarshalJSON(b) != nil {
		return nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02"} {
		if v, err := time.Parse(layout, string(s)); err == nil {
			t.Time = v.UTC()
			return nil
		}
	}
	return nil
}

// object decodes a JSON object; null, an array and an empty body are errors. The error
// names the member at fault and never its value.
func object(body []byte, into any) error {
	if b := bytes.TrimLeft(body, " \t\r\n"); len(b) == 0 || b[0] != '{' {
		return errors.New("the answer is not a JSON object")
	}
	if err := decodeJSON(body, into); err != nil {
		return err
	}
	return members(json.NewDecoder(bytes.NewReader(body)))
}

// members refuses an object with a member twice: which one counts, nobody can tell. Names
// that differ in capitals only are one, since the decoder takes either.
func members(d *json.Decoder) error {
	type level struct {
		seen  map[string]bool // nil: an array
		value bool            // next comes a value
	}
	var levels []level
	for {
		token, err := d.Token()
		if err != nil {
			return nil // the end: it was decoded before
		}
		var top *level
		if len(levels) > 0 {
			top = &levels[len(levels)-1]
		}
		if name, ok := token.(string); ok && top != nil && top.seen != nil && !top.value {
			if name = strings.ToLower(name); top.seen[name] {
				return fmt.Errorf("member %q of the answer is there twice", clip(name, 60))
			}
			top.seen[name], top.value = true, true
			continue
		}
		if top != nil {
			top.value = false
		}
		switch token {
		case json.Delim('{'):
			levels = append(levels, level{seen: map[string]bool{}})
		case json.Delim('['):
			levels = append(levels, level{})
		case json.Delim('}'), json.Delim(']'):
			levels = levels[:len(levels)-1]
			if len(levels) > 0 {
				levels[len(levels)-1].value = false
			}
		}
	}
}

func decodeJSON(body []byte, into any) error {
	err := json.Unmarshal(body, into)
	var t *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &t):
		return fmt.Errorf("member %q of the answer has an unexpected type", clip(t.Field, 60))
	}
	return errors.New("the answer is not the JSON that was expected")
}

// list decodes DTM's envelope or a bare array.
func list[W any](body []byte) (items []W, total int, enveloped bool, err error) {
	if b := bytes.TrimLeft(body, " \t\r\n"); len(b) > 0 && b[0] == '[' {
		err = decodeJSON(body, &items)
		return items, len(items), false, err
	}
	var e struct {
		Total looseInt         `json:"total"`
		Items *json.RawMessage `json:"items"`
	}
	if err = object(body, &e); err != nil {
		return nil, 0, true, err
	}
	if e.Items == nil {
		return nil, 0, true, errors.New("the answer is not a listing")
	}
	err = decodeJSON(*e.Items, &items)
	return items, int(e.Total), true, err
}

// base64Bytes reads standard base64, tolerating line breaks (CSC 5.2 forbids them) and missing padding.
func base64Bytes(s string) ([]byte, error) {
	s = strings.TrimRight(strings.Map(func(r rune) rune {
		if r == '\r' || r == '\n' || r == ' ' {
			return -1
		}
		return r
	}, s), "=")
	b, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil || len(b) == 0 {
		return nil, errors.New("a value is not base64")
	}
	return b, nil
}
