package dtmclient

import (
	"context"
	"net/http"
	"net/url"
)

// What the portal does not ask for itself, but an operator's tool may: changing users, all of
// validations and credentials, and what an account has.

// Organization is one that certificates may name.
type Organization struct {
	ID, Name, Country, Registration string
	Status                          string // "ACTIVE", "DISABLED"
}

// Account is an account of the platform.
type Account struct {
	ID, Name string
	Active   bool
}

// ListQuery narrows a listing. Zero fields do not narrow; a service may ignore any of them.
type ListQuery struct {
	Status, UserID, Email string
}

func (q ListQuery) values() url.Values {
	v := url.Values{}
	for name, value := range map[string]string{"status": q.Status, "user_id": q.UserID, "email": q.Email} {
		if value != "" {
			v.Set(name, value)
		}
	}
	return v
}

// read reads one object with an id.
func read[W any, T any](ctx context.Context, c *Client, op, path, name string, id func(*W) *looseString, to func(W) T) (T, error) {
	k, err := c.api(op, http.MethodGet, path, name)
	if err != nil {
		return *new(T), err
	}
	var w W
	k.decode = withID(&w, id(&w))
	err = c.do(ctx, k)
	return to(w), err
}

// User reads one by id.
func (c *Client) User(ctx context.Context, id string) (User, error) {
	return read(ctx, c, "user.get", pathUser, id, func(w *userWire) *looseString { return &w.ID }, userWire.user)
}

// ChangeUser writes a user whole: what is left empty is empty afterwards.
func (c *Client) ChangeUser(ctx context.Context, u User) (User, error) {
	k, err := c.api("user.change", http.MethodPut, pathUser, u.ID)
	if err != nil {
		return User{}, err
	}
	k.body = newUserWire{UserName: u.UserName, Email: u.Email, FirstName: u.FirstName, LastName: u.LastName,
		Type: "standard", Accounts: u.Accounts, Roles: u.Roles, PIPL: true, Terms: true, Phone: u.Phone, Locale: u.Locale}
	var w userWire
	k.decode = withID(&w, &w.ID)
	err = c.do(ctx, k)
	return w.user(), err
}

// Me is who the API key belongs to.
func (c *Client) Me(ctx context.Context) (User, error) {
	k := call{op: "user.me", method: http.MethodGet, url: c.account + pathMe, auth: c.apiAuth, read: true, timeout: c.c.Timeouts.Call}
	var w userWire
	k.decode = withID(&w, &w.ID)
	err := c.do(ctx, k)
	return w.user(), err
}

// Accounts lists the accounts of the API key.
func (c *Client) Accounts(ctx context.Context) ([]Account, error) {
	return pages(ctx, c, "account.list", c.account+pathAccounts, nil, accountWire.account)
}

// Validations lists those that fit, newest first.
func (c *Client) Validations(ctx context.Context, q ListQuery) ([]Validation, error) {
	return pages(ctx, c, "validation.list", c.base+pathValidations, q.values(), validationWire.validation)
}

// DisableValidation blocks an approved one; its seat stays taken.
func (c *Client) DisableValidation(ctx context.Context, id string) error {
	return c.command(ctx, "validation.disable", pathDisable, id, nil)
}

// RestartValidation begins an ended one again, or lifts a block.
func (c *Client) RestartValidation(ctx context.Context, id string) error {
	return c.command(ctx, "validation.restart", pathCorrect, id, nil)
}

// DeleteValidation revokes every credential behind it, for one of DTM's four reasons, and gives its seat back.
func (c *Client) DeleteValidation(ctx context.Context, id, reason string) error {
	k, err := c.api("validation.delete", http.MethodDelete, pathValidation, id)
	if err != nil {
		return err
	}
	k.body = revokeWire{Reason: reason}
	return c.do(ctx, k)
}

// Credentials lists those that fit, of the caller or, for an administrator, of the account.
func (c *Client) Credentials(ctx context.Context, q ListQuery) ([]Credential, error) {
	return pages(ctx, c, "credential.list", c.base+pathCredentialV1, q.values(), credentialWire.credential)
}

// ValidationProfiles lists what an identity check can be of.
func (c *Client) ValidationProfiles(ctx context.Context) ([]Profile, error) {
	return pages(ctx, c, "validation-profile.list", c.base+pathValidationProfiles, nil, profileWire.profile)
}

// Organizations lists those of the account.
func (c *Client) Organizations(ctx context.Context) ([]Organization, error) {
	return pages(ctx, c, "organization.list", c.base+pathOrganizations, nil, organizationWire.organization)
}

// CreateOrganization adds one.
func (c *Client) CreateOrganization(ctx context.Context, o Organization) (Organization, error) {
	k, err := c.api("organization.create", http.MethodPost, pathOrganizations)
	if err != nil {
		return Organization{}, err
	}
	return c.organization(ctx, k, o)
}

// ChangeOrganization writes one whole; by its Status it is enabled or disabled.
func (c *Client) ChangeOrganization(ctx context.Context, o Organization) (Organization, error) {
	k, err := c.api("organization.change", http.MethodPut, pathOrganization, o.ID)
	if err != nil {
		return Organization{}, err
	}
	return c.organization(ctx, k, o)
}

func (c *Client) organization(ctx context.Context, k call, o Organization) (Organization, error) {
	k.body = newOrganizationWire{Name: o.Name, Country: o.Country, Registration: o.Registration, Status: o.Status}
	var w organizationWire
	k.decode = withID(&w, &w.ID)
	err := c.do(ctx, k)
	return w.organization(), err
}

// AuditLogEntry reads one line of DTM's own log.
func (c *Client) AuditLogEntry(ctx context.Context, id string) (AuditEntry, error) {
	return read(ctx, c, "audit-log.get", pathAuditEntry, id, func(w *auditWire) *looseString { return &w.ID }, auditWire.entry)
}
