package dtmclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

// maxPages bounds the walk through a listing: 5000 rows.
const maxPages = 50

// segment escapes one path segment. A name that would leave its place is refused here,
// before anything is sent.
func segment(s string) (string, error) {
	if s == "" || s == "." || s == ".." || len(s) > 200 {
		return "", errors.New("the name cannot be part of an address")
	}
	return url.PathEscape(s), nil
}

// api makes a call to api/v1 or api/v2 with an optional name in its path.
func (c *Client) api(op, method, path string, name ...string) (call, error) {
	if len(name) > 0 {
		s, err := segment(name[0])
		if err != nil {
			return call{}, &Error{Op: op, Kind: Invalid, Cause: err}
		}
		path = fmt.Sprintf(path, s)
	}
	return call{op: op, method: method, url: c.base + path, auth: c.apiAuth, read: method == http.MethodGet,
		timeout: c.c.Timeouts.Call}, nil
}

// command changes one object and has an answer nobody needs.
func (c *Client) command(ctx context.Context, op, path, name string, body any) error {
	k, err := c.api(op, http.MethodPut, path, name)
	if err != nil {
		return err
	}
	if k.body = body; body == nil {
		k.body = struct{}{}
	}
	return c.do(ctx, k)
}

// CreateUser makes a signer. UserName must be unique; Duplicate tells that it is taken.
// The person has agreed to DigiCert's terms before: the caller has recorded that.
func (c *Client) CreateUser(ctx context.Context, u User) (User, error) {
	k, err := c.api("user.create", http.MethodPost, pathUsers)
	if err != nil {
		return User{}, err
	}
	roles := u.Roles
	if len(roles) == 0 {
		roles = []string{signerRole}
	}
	k.body = newUserWire{UserName: u.UserName, Email: u.Email, FirstName: u.FirstName, LastName: u.LastName,
		Type: "standard", Accounts: u.Accounts, Roles: roles, PIPL: true, Terms: true, Phone: u.Phone, Locale: u.Locale}
	var w userWire
	k.decode = withID(&w, &w.ID)
	err = c.do(ctx, k)
	return w.user(), err
}

// FindUser looks a user up by exact user name; NotFound when there is none.
func (c *Client) FindUser(ctx context.Context, userName string) (User, error) {
	const op = "user.list"
	// The filter is assumed and may be ignored, so the rows are compared here.
	users, err := pages(ctx, c, op, c.base+pathUsers, url.Values{"user_name": {userName}}, userWire.user)
	if err != nil {
		return User{}, err
	}
	for _, u := range users {
		if u.UserName == userName && u.ID != "" {
			return u, nil
		}
	}
	return User{}, &Error{Op: op, Kind: NotFound}
}

// CreateValidation starts an identity check for a user.
func (c *Client) CreateValidation(ctx context.Context, n NewValidation) (Validation, error) {
	k, err := c.api("validation.create", http.MethodPost, pathValidations)
	if err != nil {
		return Validation{}, err
	}
	k.body = newValidationWire{UserID: n.UserID, Email: n.Email, FirstName: n.FirstName, LastName: n.LastName,
		ProfileID: n.ProfileID, Standard: n.Standard, AccountID: n.AccountID, Organization: n.OrganizationID, Locale: n.Locale}
	var w validationWire
	k.decode = withID(&w, &w.ID)
	err = c.do(ctx, k)
	return w.validation(), err
}

// Validation reads one.
func (c *Client) Validation(ctx context.Context, id string) (Validation, error) {
	k, err := c.api("validation.get", http.MethodGet, pathValidation, id)
	if err != nil {
		return Validation{}, err
	}
	var w validationWire
	k.decode = withID(&w, &w.ID)
	err = c.do(ctx, k)
	return w.validation(), err
}

// ValidationsOf lists a DTM user's validations.
func (c *Client) ValidationsOf(ctx context.Context, userID string) ([]Validation, error) {
	all, err := pages(ctx, c, "validation.list", c.base+pathValidations, url.Values{"user_id": {userID}}, validationWire.validation)
	if err != nil {
		return nil, err
	}
	own := all[:0]
	for _, v := range all {
		if v.UserID == userID {
			own = append(own, v)
		}
	}
	return own, nil
}

// ApproveValidation approves. It takes a seat for good and is never sent twice by this package.
func (c *Client) ApproveValidation(ctx context.Context, id string) error {
	return c.command(ctx, "validation.approve", pathApprove, id, nil)
}

// RejectValidation refuses, with a reason code.
func (c *Client) RejectValidation(ctx context.Context, id, reason string) error {
	return c.command(ctx, "validation.reject", pathReject, id, reasonWire{Reason: reason})
}

// CorrectValidation asks the person to submit the papers again.
func (c *Client) CorrectValidation(ctx context.Context, id, reason string) error {
	return c.command(ctx, "validation.restart", pathCorrect, id, reasonWire{Reason: reason, Step: identityStep})
}

// CancelValidation ends one that is not yet approved.
func (c *Client) CancelValidation(ctx context.Context, id string) error {
	return c.command(ctx, "validation.cancel", pathCancel, id, nil)
}

// CreateCredential has a certificate and a remote key made: by api/v1 after a validation,
// by api/v2 for a user. Issuing is asynchronous: the answer is mostly PENDING_ISSUANCE.
func (c *Client) CreateCredential(ctx context.Context, n NewCredential) (Credential, error) {
	body := newCredentialWire{ProfileID: n.ProfileID, Nickname: n.Nickname}
	path := pathCredentialV2
	if n.ValidationID != "" {
		path, body.ValidationID = pathCredentialV1, n.ValidationID
	} else {
		body.UserID, body.AccountID, body.OrgID = n.UserID, n.AccountID, n.OrganizationID
	}
	k, err := c.api("credential.create", http.MethodPost, path)
	if err != nil {
		return Credential{}, err
	}
	k.body = body
	return c.credential(ctx, k)
}

// Credential reads one by name.
func (c *Client) Credential(ctx context.Context, name string) (Credential, error) {
	k, err := c.api("credential.get", http.MethodGet, pathCredential, name)
	if err != nil {
		return Credential{}, err
	}
	return c.credential(ctx, k)
}

func (c *Client) credential(ctx context.Context, k call) (Credential, error) {
	var w credentialWire
	k.decode = func(b []byte) error {
		if err := object(b, &w); err != nil {
			return err
		}
		if firstOf(string(w.Name), string(w.Nickname)) == "" || w.Status == "" {
			return errors.New("the answer is not a credential")
		}
		return nil
	}
	err := c.do(ctx, k)
	return w.credential(), err
}

// SuspendCredential holds a credential. Without Config.CanSuspend it is refused here.
func (c *Client) SuspendCredential(ctx context.Context, name string) error {
	return c.suspension(ctx, "credential.suspend", pathSuspend, name)
}

// ResumeCredential ends a suspension. Without Config.CanSuspend it is refused here.
func (c *Client) ResumeCredential(ctx context.Context, name string) error {
	return c.suspension(ctx, "credential.resume", pathResume, name)
}

func (c *Client) suspension(ctx context.Context, op, path, name string) error {
	if !c.c.CanSuspend {
		return &Error{Op: op, Kind: Invalid, Cause: errors.New("this host is not known to suspend credentials")}
	}
	return c.command(ctx, op, path, name, nil)
}

// RevokeCredential ends a credential for good. Reason is one of DTM's four.
func (c *Client) RevokeCredential(ctx context.Context, name, reason, userID string) error {
	return c.command(ctx, "credential.revoke", pathRevoke, name, revokeWire{Reason: reason, UserID: userID})
}

// CancelCredential ends one that is still being issued.
func (c *Client) CancelCredential(ctx context.Context, name string) error {
	return c.command(ctx, "credential.cancel", pathCancelCred, name, nil)
}

// Profiles lists certificate profiles.
func (c *Client) Profiles(ctx context.Context) ([]Profile, error) {
	return pages(ctx, c, "certificate-profile.list", c.base+pathProfiles, nil, profileWire.profile)
}

// Seats counts the seats of each standard.
func (c *Client) Seats(ctx context.Context) ([]Seats, error) {
	return pages(ctx, c, "seat.list", c.base+pathSeats, nil, seatWire.seats)
}

// Roles lists the roles of Document Trust Manager.
func (c *Client) Roles(ctx context.Context) ([]Role, error) {
	return pages(ctx, c, "role.list", c.account+pathRoles, url.Values{"application_code": {roleApplication}}, roleWire.role)
}

// AuditLog reads one page of DTM's own log.
func (c *Client) AuditLog(ctx context.Context, q AuditQuery) (Page[AuditEntry], error) {
	v := url.Values{}
	for name, value := range map[string]string{"resource_type": q.ResourceType, "resource_id": q.ResourceID,
		"action": q.Action, "status": q.Status} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if !q.From.IsZero() {
		v.Set("from", dtmTime(q.From))
	}
	if !q.To.IsZero() {
		v.Set("to", dtmTime(q.To))
	}
	limit := min(max(q.Limit, 0), pageSize)
	if limit == 0 {
		limit = 20
	}
	items, total, _, err := page(ctx, c, "audit-log.list", c.base+pathAudit, v, max(q.Offset, 0), limit, auditWire.entry)
	return Page[AuditEntry]{Items: items, Total: total, Offset: max(q.Offset, 0), Limit: limit}, err
}

// pages walks a listing to its end, or to maxPages.
func pages[W, T any](ctx context.Context, c *Client, op, address string, query url.Values, to func(W) T) ([]T, error) {
	var all []T
	for n := 0; n < maxPages; n++ {
		items, total, more, err := page(ctx, c, op, address, query, len(all), pageSize, to)
		if err != nil {
			return nil, err
		}
		all = append(all, items...)
		// A service may give fewer than asked for, so only an empty page or the total ends the walk.
		if !more || len(items) == 0 || (total > 0 && len(all) >= total) {
			return all, nil
		}
	}
	return nil, &Error{Op: op, Kind: Unknown, Cause: errors.New("the listing does not end")}
}

// page reads one page; more is false for a bare array, which is the whole listing.
func page[W, T any](ctx context.Context, c *Client, op, address string, query url.Values, offset, limit int, to func(W) T) (items []T, total int, more bool, err error) {
	v := url.Values{}
	for name, values := range query {
		v[name] = values
	}
	v.Set("offset", strconv.Itoa(offset))
	v.Set("limit", strconv.Itoa(limit))
	var wire []W
	k := call{op: op, method: http.MethodGet, url: address + "?" + v.Encode(), auth: c.apiAuth, read: true, timeout: c.c.Timeouts.Call,
		decode: func(b []byte) (err error) {
			wire, total, more, err = list[W](b)
			return err
		}}
	if err = c.do(ctx, k); err != nil {
		return nil, 0, false, err
	}
	items = make([]T, len(wire))
	for i, w := range wire {
		items[i] = to(w)
	}
	return items, total, more, nil
}

// withID decodes an object that must carry an id.
func withID(into any, id *looseString) func([]byte) error {
	return func(b []byte) error {
		if err := object(b, into); err != nil {
			return err
		}
		if *id == "" {
			return errors.New("the answer carries no id")
		}
		return nil
	}
}
