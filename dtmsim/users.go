package dtmsim

import (
	"encoding/json"
	"net/http"
	"net/mail"
	"slices"
	"strings"
)

// routeDTM mounts /documentmanager/api and /account.
func (s *Sim) routeDTM(mux *http.ServeMux) {
	v1, v2 := "/documentmanager/api/v1", "/documentmanager/api/v2"
	on := func(pattern string, p permission, f func(*call) (int, any, error)) {
		mux.Handle(pattern, s.api(p, f))
	}

	on("POST "+v1+"/user", mayManageUsers, createUser)
	on("GET "+v1+"/user", mayManageUsers, listUsers)
	on("GET "+v1+"/user/{id}", mayManageUsers, getUser)
	on("PUT "+v1+"/user/{id}", mayManageUsers, changeUser)
	on("POST "+v1+"/user/{id}/replace-client-admin", mayManageUsers, replaceClientAdmin)

	on("POST "+v1+"/validation", mayAddValidations, createValidation)
	on("GET "+v1+"/validation", mayViewValidations, listValidations)
	on("GET "+v1+"/validation/{id}", mayViewValidations, getValidation)
	on("DELETE "+v1+"/validation/{id}", mayManageValidations, deleteValidation)
	for _, verb := range []string{"approve", "reject", "cancel", "disable", "restart"} {
		on("PUT "+v1+"/validation/{id}/"+verb, mayManageValidations, func(c *call) (int, any, error) { return changeValidation(c, verb) })
	}

	on("POST "+v1+"/credential", mayCreateCredentials, createCredentialV1)
	on("POST "+v2+"/credential", mayCreateCredentials, createCredentialV2)
	on("GET "+v1+"/credential", mayViewCredentials, listCredentials)
	on("GET "+v2+"/credential/{name}", mayViewCredentials, getCredential)
	on("PUT "+v2+"/credential/{name}/cancel", mayManageCredentials, cancelCredential)
	on("PUT "+v1+"/credential/{name}/revoke", mayManageCredentials, revokeCredential)
	on("PUT "+v1+"/credential/{name}/suspend", mayManageCredentials, suspendCredential)
	on("PUT "+v1+"/credential/{name}/resume", mayManageCredentials, resumeCredential)

	on("GET "+v1+"/certificate-profile", mayViewProfiles, listProfiles)
	on("GET "+v1+"/validation-profile", mayViewProfiles, func(c *call) (int, any, error) { return paged(c, validationProfiles) })
	on("GET "+v1+"/credential-profile", mayViewProfiles, listCredentialProfiles)
	on("GET "+v1+"/certificate-template", mayViewTemplates, listTemplates)
	on("GET "+v1+"/organization", mayManageOrgs, listOrganizations)
	on("POST "+v1+"/organization", mayManageOrgs, createOrganization)
	on("PUT "+v1+"/organization/{id}", mayManageOrgs, changeOrganization)
	on("GET "+v1+"/seat", mayViewLicence, listSeats)
	on("GET "+v1+"/audit-log", mayViewAudit, listAudit)
	on("GET "+v1+"/audit-log/{id}", mayViewAudit, getAudit)
	on("POST "+v1+"/hashes", maySign, makeHashes)
	on("POST "+v1+"/signatures", maySign, makeSignatures)

	on("GET /account/api/v1/role", mayBeHere, listRoles)
	on("GET /account/api/v1/user", mayManageUsers, listAccountUsers)
	on("GET /account/api/v1/user/me", mayBeHere, getMe)
	on("GET /account/api/v1/account", mayBeHere, listAccounts)

	for _, p := range []string{"/documentmanager/api/", "/account/"} {
		on(p, mayBeHere, func(*call) (int, any, error) {
			return 0, nil, &apiError{status: http.StatusNotFound, code: "resource_not_found", message: "No such path"}
		})
	}
}

type userWire struct {
	ID          string        `json:"id"`
	UserName    string        `json:"user_name"`
	Email       string        `json:"email"`
	FirstName   string        `json:"first_name"`
	LastName    string        `json:"last_name"`
	UserType    string        `json:"user_type"`
	Accounts    []string      `json:"accounts"`
	Roles       []string      `json:"roles"`
	Privacy     bool          `json:"is_pipl_accepted"`
	Terms       bool          `json:"is_tou_accepted"`
	Description string        `json:"description"`
	Phone       phone         `json:"phone_number"`
	Locale      string        `json:"locale"`
	Status      string        `json:"status"`
	CreatedAt   string        `json:"created_at"`
	Primary     string        `json:"primary_account_id"`
	Apps        []application `json:"applications,omitempty"`
}

type application struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Permissions []string `json:"permissions"`
}

// phone is a string in newer samples and a number in an older one.
type phone string

func (p *phone) UnmarshalJSON(b []byte) error {
	var n json.Number
	if len(b) > 0 && b[0] != '"' {
		if err := json.Unmarshal(b, &n); err != nil {
			return err
		}
		*p = phone(n.String())
		return nil
	}
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return err
	}
	*p = phone(text)
	return nil
}

func (u *user) wire() userWire {
	return userWire{ID: u.ID, UserName: u.UserName, Email: u.Email, FirstName: u.First, LastName: u.Last, UserType: u.Type,
		Accounts: u.Accounts, Roles: u.Roles, Privacy: u.Privacy, Terms: u.Terms, Description: u.Description, Phone: phone(u.Phone),
		Locale: u.Locale, Status: u.Status, CreatedAt: u.CreatedAt.Format("2006-01-02T15:04:05Z"), Primary: u.Accounts[0]}
}

func (s *Sim) user(id string) *user {
	for _, u := range s.st.Users {
		if u.ID == id {
			return u
		}
	}
	return nil
}

// findUser takes an id, a user name or a mail address.
func (s *Sim) findUser(who string) *user {
	for _, u := range s.st.Users {
		if u.ID == who || u.UserName == who || strings.EqualFold(u.Email, who) {
			return u
		}
	}
	return nil
}

func createUser(c *call) (int, any, error) {
	u := &user{}
	if err := c.fillUser(u); err != nil {
		return 0, nil, err
	}
	u.ID, u.Status, u.CreatedAt = c.newID(), "ACTIVE", c.now()
	u.TOTP = c.random(20)
	c.st.Users = append(c.st.Users, u)
	c.touch()
	c.record(auditRecord{Type: "user", Resource: u.ID, Action: "create", Actor: c.actor.id, ActorName: c.actor.name, Auth: "api_key", Text: "User created"})
	return http.StatusCreated, u.wire(), nil
}

func changeUser(c *call) (int, any, error) {
	u := c.user(c.r.PathValue("id"))
	if u == nil {
		return 0, nil, notFound("user")
	}
	next := *u
	if err := c.fillUser(&next); err != nil {
		return 0, nil, err
	}
	*u = next
	c.touch()
	c.record(auditRecord{Type: "user", Resource: u.ID, Action: "update", Actor: c.actor.id, ActorName: c.actor.name, Auth: "api_key", Text: "User changed"})
	return http.StatusOK, u.wire(), nil
}

// fillUser checks the whole object of a create or change and puts it into u.
func (c *call) fillUser(u *user) error {
	var in userWire
	if err := c.decode(&in); err != nil {
		return err
	}
	for _, f := range []struct{ name, value string }{
		{"user_name", in.UserName}, {"email", in.Email}, {"first_name", in.FirstName}, {"last_name", in.LastName}, {"user_type", in.UserType},
	} {
		if strings.TrimSpace(f.value) == "" {
			return invalidField(f.name, f.name+" is required")
		}
		if len(f.value) > 255 {
			return invalidField(f.name, f.name+" is too long")
		}
	}
	if a, err := mail.ParseAddress(in.Email); err != nil || a.Address != in.Email {
		return invalidField("email", "email is not an address")
	}
	if in.UserType != "standard" {
		return invalidField("user_type", "user_type must be standard")
	}
	if len(in.Accounts) == 0 {
		return invalidField("accounts", "accounts needs at least one account")
	}
	for _, a := range in.Accounts {
		if a != c.opt.AccountID {
			return invalidField("accounts", "accounts names an unknown account")
		}
	}
	for _, r := range in.Roles {
		if !slices.ContainsFunc(roles, func(k roleWire) bool { return k.ID == r }) {
			return invalidField("roles", "roles names an unknown role")
		}
	}
	if p := strings.TrimPrefix(string(in.Phone), "+"); p != "" && (len(p) < 8 || len(p) > 15 || strings.Trim(p, "0123456789") != "") {
		return invalidField("phone_number", "phone_number must be digits with country code")
	}
	for _, o := range c.st.Users {
		if o.ID != u.ID && (o.UserName == in.UserName || strings.EqualFold(o.Email, in.Email)) {
			return duplicate("A user with this user_name or email exists")
		}
	}
	u.UserName, u.Email, u.First, u.Last, u.Type = in.UserName, in.Email, in.FirstName, in.LastName, in.UserType
	u.Accounts, u.Roles, u.Privacy, u.Terms = in.Accounts, in.Roles, in.Privacy, in.Terms
	u.Description, u.Phone, u.Locale = in.Description, strings.TrimPrefix(string(in.Phone), "+"), in.Locale
	if u.Roles == nil {
		u.Roles = []string{}
	}
	return nil
}

func getUser(c *call) (int, any, error) {
	u := c.user(c.r.PathValue("id"))
	if u == nil {
		return 0, nil, notFound("user")
	}
	return http.StatusOK, u.wire(), nil
}

func listUsers(c *call) (int, any, error) { return paged(c, c.usersAsked()) }

// listAccountUsers is the Account Manager's list: a bare array.
func listAccountUsers(c *call) (int, any, error) { return http.StatusOK, c.usersAsked(), nil }

func (c *call) usersAsked() []userWire {
	q := c.r.URL.Query()
	out := []userWire{}
	for _, u := range c.st.Users {
		if (!q.Has("user_name") || q.Get("user_name") == u.UserName) && (!q.Has("email") || strings.EqualFold(q.Get("email"), u.Email)) {
			out = append(out, u.wire())
		}
	}
	return out
}

func getMe(c *call) (int, any, error) {
	if u := c.user(c.actor.id); u != nil {
		return http.StatusOK, u.wire(), nil
	}
	return http.StatusOK, userWire{ID: serviceUserID, UserName: serviceUserName, Email: "service@simulator.invalid", FirstName: "Portal", LastName: "Service",
		UserType: "service", Accounts: []string{c.opt.AccountID}, Roles: []string{roleAdmin}, Locale: "en_US", Status: "ACTIVE", Primary: c.opt.AccountID,
		Apps: []application{{ID: "document_signing_manager", Name: "Document Trust Manager", Permissions: permissionsOf(roleAdmin)}}}, nil
}

func listAccounts(c *call) (int, any, error) {
	return http.StatusOK, []map[string]any{{"id": c.opt.AccountID, "name": "Example BV (Simulator)", "active": true, "friendly_identifier": "example",
		"service_period": map[string]string{"from": "2026-01-01", "to": "2036-01-01"}, "admins": []any{}, "sign_in_methods": []string{"standard"}, "locale": "en_US"}}, nil
}

func listRoles(c *call) (int, any, error) {
	out := []roleWire{}
	for _, r := range roleWires() {
		if code := c.r.URL.Query().Get("application_code"); code == "" || code == r.ApplicationCode {
			out = append(out, r)
		}
	}
	return http.StatusOK, out, nil
}
