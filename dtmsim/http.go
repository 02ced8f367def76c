package dtmsim

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

const maxBody = 8 << 20

// actor is who makes a DTM call: the service user, or a user with a key of their own.
type actor struct {
	id, name string
	roles    []string
}

// call is one request to DTM's own API, made under the lock.
type call struct {
	*Sim
	w     http.ResponseWriter
	r     *http.Request
	actor actor
	reach reach // of the permission that the call takes
	body  []byte
}

// apiError is DTM's error: HTTP status, code, message and, where known, the field.
type apiError struct {
	status               int
	code, message, field string
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

func invalid(message string) *apiError {
	return &apiError{status: http.StatusBadRequest, code: "invalid_request", message: message}
}

func invalidField(field, message string) *apiError {
	return &apiError{status: http.StatusBadRequest, code: "invalid_request", message: message, field: field}
}

func notFound(what string) *apiError {
	return &apiError{status: http.StatusNotFound, code: "resource_not_found", message: "No " + what + " with this id"}
}

func duplicate(message string) *apiError {
	return &apiError{status: http.StatusConflict, code: "duplicate_error", message: message}
}

var errDenied = &apiError{status: http.StatusForbidden, code: "access_denied", message: "The role of this key does not permit the operation"}

// api wraps a DTM operation: key, permission, lock, time, answer.
func (s *Sim) api(p permission, f func(*call) (int, any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			s.writeAPIError(w, invalid("body is too large or cannot be read"))
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.settle()
		c := &call{Sim: s, w: w, r: r, body: body}
		status, v, err := c.run(p, f)
		if err == nil {
			err = s.save()
		}
		if err != nil {
			s.writeAPIError(w, err)
			return
		}
		if v == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		writeJSON(w, status, v)
	}
}

func (c *call) run(p permission, f func(*call) (int, any, error)) (int, any, error) {
	a, err := c.authenticate()
	if err != nil {
		return 0, nil, err
	}
	c.actor = a
	if c.reach = reachOf(a.roles, p); p != mayBeHere && c.reach == nowhere {
		return 0, nil, errDenied
	}
	return f(c)
}

func (c *call) authenticate() (actor, error) {
	bad := &apiError{status: http.StatusUnauthorized, code: "invalid_api_key", message: "The API key is missing or not valid"}
	key := c.r.Header.Get("x-api-key")
	switch {
	case key == "" && certified(c.r), key == c.opt.APIKey:
		return actor{id: serviceUserID, name: serviceUserName, roles: []string{roleAdmin, roleService}}, nil
	}
	for _, u := range c.st.Users {
		if key != "" && u.APIKey == key && u.Status == "ACTIVE" {
			return actor{id: u.ID, name: u.UserName, roles: u.Roles}, nil
		}
	}
	return actor{}, bad
}

// decode reads the body as one JSON object. An empty body is an empty object.
func (c *call) decode(v any) error {
	if len(strings.TrimSpace(string(c.body))) == 0 {
		return nil
	}
	if ct, _, _ := strings.Cut(c.r.Header.Get("Content-Type"), ";"); strings.TrimSpace(ct) != "application/json" {
		return invalid("Content-Type must be application/json")
	}
	if err := json.Unmarshal(c.body, v); err != nil {
		var te *json.UnmarshalTypeError
		if errors.As(err, &te) && te.Field != "" {
			return invalidField(te.Field, te.Field+" has the wrong type")
		}
		return invalid("body is not a JSON object")
	}
	return nil
}

// page cuts a list to offset and limit and wraps it in the platform's envelope.
func paged[T any](c *call, items []T) (int, any, error) {
	q := c.r.URL.Query()
	number := func(name string, d int) (int, error) {
		if !q.Has(name) {
			return d, nil
		}
		n, err := strconv.Atoi(q.Get(name))
		if err != nil || n < 0 {
			return 0, invalidField(name, name+" must be a number")
		}
		return n, nil
	}
	offset, err := number("offset", 0)
	if err != nil {
		return 0, nil, err
	}
	limit, err := number("limit", defaultPage)
	if err != nil {
		return 0, nil, err
	}
	limit = min(limit, maxPage)
	if c.opt.BareLists {
		return http.StatusOK, nonNil(items), nil
	}
	total := len(items)
	from := min(offset, total)
	part := slices.Clone(items[from:min(from+limit, total)])
	if part == nil {
		part = []T{}
	}
	return http.StatusOK, struct {
		Total  int `json:"total"`
		Offset int `json:"offset"`
		Limit  int `json:"limit"`
		Items  []T `json:"items"`
	}{total, offset, limit, part}, nil
}

func (s *Sim) writeAPIError(w http.ResponseWriter, err error) {
	var e *apiError
	if !errors.As(err, &e) {
		s.log.Error("dtmsim: call", "err", err)
		e = &apiError{status: http.StatusInternalServerError, code: "internal_error", message: "The operation could not be done"}
	}
	one := map[string]string{"code": e.code, "message": e.message}
	if e.field != "" {
		one["field"] = e.field
	}
	if s.opt.ErrorObject {
		writeJSON(w, e.status, map[string]any{"error": one})
		return
	}
	writeJSON(w, e.status, map[string]any{"errors": []any{one}})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client is gone; there is nobody to tell
}
