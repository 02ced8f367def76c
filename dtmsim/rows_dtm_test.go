package dtmsim_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/dtmsim"
)

// apiRow is one line of what is known or assumed of DTM's own API. Its name begins with the
// section of our notes: 3 to 7 are users, identity checks, credentials and what an account has,
// 11 the audit log, 12 roles, 13 errors and paging.
type apiRow struct {
	name         string
	method, path string
	in           any
	status       int
	code, words  string // of a refusal
}

func (r *rig) apiRows(t *testing.T, rows []apiRow) {
	t.Helper()
	defer func(outer testing.TB) { r.t = outer }(r.t)
	for _, c := range rows {
		t.Run(c.name, func(t *testing.T) {
			r.t = t
			if c.code != "" {
				r.apiRefused(c.method, c.path, c.in, c.status, c.code, c.words)
				return
			}
			status, out := r.send(c.method, c.path, c.in, "x-api-key", r.APIKey)
			require.Equal(t, c.status, status, "%s", out)
		})
	}
}

const (
	notThere = "resource_not_found"
	taken    = "duplicate_error"
	denied   = "access_denied"
)

func TestRowsOfEveryPath(t *testing.T) {
	r := start(t)
	u := r.user("ada")
	val := r.validation(u, "BASIC")
	r.issue(u, "cp-basic", "ada-1")
	_, audit := r.api("GET", v1+"/audit-log?limit=1", nil)
	entry := audit["items"].([]any)[0].(object)["id"].(string)
	r.apiRows(t, []apiRow{
		{name: "3.1 POST validation", method: "POST", path: v1 + "/validation", in: object{"user_id": u, "standard": "ADVANCED_PLUS"}, status: 201},
		{name: "3.2 GET validation", method: "GET", path: v1 + "/validation", status: 200},
		{name: "3.3 GET validation by id", method: "GET", path: v1 + "/validation/" + val, status: 200},
		{name: "3.4 PUT approve", method: "PUT", path: v1 + "/validation/" + val + "/approve", status: 400, code: inv, words: "PENDING_EMAIL"},
		{name: "3.5 PUT cancel", method: "PUT", path: v1 + "/validation/" + val + "/cancel", status: 200},
		{name: "3.5 PUT restart", method: "PUT", path: v1 + "/validation/" + val + "/restart", status: 200},
		{name: "3.5 PUT an operation that is none", method: "PUT", path: v1 + "/validation/" + val + "/bless", status: 404, code: notThere, words: "No such path"},
		{name: "3.5 DELETE validation", method: "DELETE", path: v1 + "/validation/" + val, status: 204},
		{name: "3.5 DELETE validation that is not there", method: "DELETE", path: v1 + "/validation/" + val, status: 404, code: notThere, words: "validation"},
		{name: "3.6 POST user", method: "POST", path: v1 + "/user", in: r.newUser("bob"), status: 201},
		{name: "3.7 PUT user", method: "PUT", path: v1 + "/user/" + u, in: r.newUser("ada"), status: 200},
		{name: "3.7 PUT user that is not there", method: "PUT", path: v1 + "/user/x", in: r.newUser("x"), status: 404, code: notThere, words: "user"},
		{name: "3.8 GET user", method: "GET", path: v1 + "/user", status: 200},
		{name: "3.8 GET user by id", method: "GET", path: v1 + "/user/" + u, status: 200},
		{name: "3.9 POST replace-client-admin without the client's proof", method: "POST", path: v1 + "/user/" + u + "/replace-client-admin", in: object{"user_id": u}, status: 403, code: denied, words: "client_id"},
		{name: "3.10 POST credential after a validation", method: "POST", path: v1 + "/credential", in: object{"validation_id": val}, status: 400, code: inv, words: "validation_id"},
		{name: "3.11 POST credential for a user", method: "POST", path: v2 + "/credential", in: object{"user_id": u, "account_id": r.AccountID, "org_id": r.OrgID, "certificate_profile_id": "cp-basic", "nickname": "n"}, status: 201},
		{name: "3.12 GET credential", method: "GET", path: v1 + "/credential", status: 200},
		{name: "3.13 GET credential by name", method: "GET", path: v2 + "/credential/ada-1", status: 200},
		{name: "3.14 PUT cancel credential", method: "PUT", path: v2 + "/credential/ada-1/cancel", status: 400, code: inv, words: "ACTIVE"},
		{name: "3.16 PUT suspend credential", method: "PUT", path: v1 + "/credential/ada-1/suspend", status: 200},
		{name: "3.16 PUT resume credential", method: "PUT", path: v1 + "/credential/ada-1/resume", status: 200},
		{name: "3.15 PUT revoke credential", method: "PUT", path: v1 + "/credential/ada-1/revoke", in: object{"revocation_reason": "SUPERSEDED"}, status: 200},
		{name: "3.17 GET certificate-profile", method: "GET", path: v1 + "/certificate-profile", status: 200},
		{name: "7 GET validation-profile", method: "GET", path: v1 + "/validation-profile", status: 200},
		{name: "7 GET credential-profile", method: "GET", path: v1 + "/credential-profile", status: 200},
		{name: "7 GET certificate-template", method: "GET", path: v1 + "/certificate-template", status: 200},
		{name: "3.18 GET organization", method: "GET", path: v1 + "/organization", status: 200},
		{name: "3.18 POST organization", method: "POST", path: v1 + "/organization", in: object{"name": "Other BV", "country": "nl"}, status: 201},
		{name: "3.18 POST organization twice", method: "POST", path: v1 + "/organization", in: object{"name": "Other BV", "country": "nl"}, status: 409, code: taken, words: "name exists"},
		{name: "3.18 POST organization without a country", method: "POST", path: v1 + "/organization", in: object{"name": "X"}, status: 400, code: inv, words: "two letters"},
		{name: "3.18 PUT organization", method: "PUT", path: v1 + "/organization/" + r.OrgID, in: object{"name": "Example BV", "country": "NL", "status": "ACTIVE"}, status: 200},
		{name: "3.18 PUT organization of another account", method: "PUT", path: v1 + "/organization/x", in: object{"name": "x", "country": "NL"}, status: 404, code: notThere, words: "organization"},
		{name: "3.18 PUT organization to a status that is none", method: "PUT", path: v1 + "/organization/" + r.OrgID, in: object{"name": "Example BV", "country": "NL", "status": "X"}, status: 400, code: inv, words: "ACTIVE or DISABLED"},
		{name: "3.19 GET seat", method: "GET", path: v1 + "/seat", status: 200},
		{name: "3.20 POST hashes", method: "POST", path: v1 + "/hashes", status: 400, code: inv, words: "credential_id"},
		{name: "3.21 POST signatures", method: "POST", path: v1 + "/signatures", status: 400, code: inv, words: "level"},
		{name: "3.22 GET audit-log", method: "GET", path: v1 + "/audit-log", status: 200},
		{name: "3.22 GET audit-log by id", method: "GET", path: v1 + "/audit-log/" + entry, status: 200},
		{name: "3.22 GET audit-log by an id that is none", method: "GET", path: v1 + "/audit-log/x", status: 404, code: notThere, words: "audit entry"},
		{name: "3.23 GET role", method: "GET", path: "/account/api/v1/role?application_code=document_signing_manager", status: 200},
		{name: "3.24 GET me", method: "GET", path: "/account/api/v1/user/me", status: 200},
		{name: "3.24 GET users of the account", method: "GET", path: "/account/api/v1/user", status: 200},
		{name: "3.24 GET account", method: "GET", path: "/account/api/v1/account", status: 200},
		{name: "3 a path that is none", method: "GET", path: v1 + "/nothing", status: 404, code: notThere, words: "No such path"},
	})
}

func TestRowsOfUsers(t *testing.T) {
	r := start(t)
	ada, bob := r.user("ada"), r.user("bob")
	change := func(name string, change object, words string) apiRow {
		return apiRow{name, "PUT", v1 + "/user/" + ada, with(r.newUser("ada"), change), 400, inv, words}
	}
	r.apiRows(t, []apiRow{
		change("4 user_name is required", object{"user_name": nil}, "user_name"),
		change("4 email is required", object{"email": nil}, "email"),
		change("4 email is an address", object{"email": "ada"}, "email is not an address"),
		change("4 first_name is required", object{"first_name": ""}, "first_name"),
		change("4 last_name is required", object{"last_name": " "}, "last_name"),
		change("4 user_type standard", object{"user_type": "service"}, "user_type"),
		change("4 accounts at least one", object{"accounts": []string{}}, "accounts"),
		change("4 accounts known", object{"accounts": []string{"x"}}, "accounts"),
		change("4 roles known", object{"roles": []string{"DSM_GOD"}}, "roles"),
		change("4 roles an array", object{"roles": "DSM_DOCUMENT_SIGNER"}, "wrong type"),
		change("4 phone_number digits", object{"phone_number": "06-12"}, "phone_number"),
		change("4 is_tou_accepted a boolean", object{"is_tou_accepted": "yes"}, "wrong type"),
		{"4 a user name that is taken", "PUT", v1 + "/user/" + ada, r.newUser("bob"), 409, taken, "exists"},
		{"4 an address that is taken", "POST", v1 + "/user", with(r.newUser("carol"), object{"email": "BOB@example.test"}), 409, taken, "exists"},
	})
	r.claims(t, []claim{
		{"4 what was refused changed nothing", func(t *testing.T) {
			_, out := r.api("GET", v1+"/user/"+ada, nil)
			require.Equal(t, "ada", out["user_name"])
			require.Equal(t, "ada@example.test", out["email"])
		}},
		{"4 the whole object is written", func(t *testing.T) {
			status, out := r.api("PUT", v1+"/user/"+bob, with(r.newUser("bob"), object{"phone_number": 31612345678, "locale": "de_DE", "description": nil, "roles": []string{"DSM_CLIENT_ADMIN"}}))
			require.Equal(t, 200, status)
			require.Equal(t, bob, out["id"])
			_, out = r.api("GET", v1+"/user/"+bob, nil)
			require.Equal(t, "31612345678", out["phone_number"], "a number is taken and told as a string")
			require.Equal(t, "de_DE", out["locale"])
			require.Empty(t, out["description"])
			require.Equal(t, []any{"DSM_CLIENT_ADMIN"}, out["roles"])
		}},
		{"4 the reply has the account service's members", func(t *testing.T) {
			_, out := r.api("GET", v1+"/user/"+ada, nil)
			for _, m := range []string{"id", "email", "status", "primary_account_id", "created_at", "user_type", "description", "locale", "user_name", "first_name", "last_name", "accounts", "roles", "is_pipl_accepted", "is_tou_accepted"} {
				require.Contains(t, out, m)
			}
			require.Equal(t, "ACTIVE", out["status"])
		}},
		{"4 users are found by name and by address", func(t *testing.T) {
			for _, q := range []string{"user_name=ada", "email=ADA@example.test"} {
				_, out := r.api("GET", v1+"/user?"+q, nil)
				require.EqualValues(t, 1, out["total"], q)
			}
		}},
		{"4 a client administrator is replaced", func(t *testing.T) {
			status, out := r.api("POST", v1+"/user/"+bob+"/replace-client-admin", object{"client_id": r.ClientID, "client_secret": r.ClientSecret, "user_id": ada})
			require.Equal(t, 200, status, "%v", out)
			require.ElementsMatch(t, []any{"DSM_DOCUMENT_SIGNER", "DSM_CLIENT_ADMIN"}, out["roles"])
			r.apiRefused("POST", v1+"/user/"+bob+"/replace-client-admin", object{"client_id": r.ClientID, "client_secret": r.ClientSecret, "user_id": ada}, 400, inv, "no client administrator")
		}},
	})
}

func TestRowsOfValidations(t *testing.T) {
	r := start(t)
	ada := r.user("ada")
	create := func(name string, change object, status int, code, words string) apiRow {
		return apiRow{name, "POST", v1 + "/validation", with(object{"user_id": ada, "standard": "BASIC"}, change), status, code, words}
	}
	r.apiRows(t, []apiRow{
		create("5 user_id is required", object{"user_id": nil}, 400, inv, "user_id is required"),
		create("5 user_id known", object{"user_id": "x"}, 400, inv, "names no user"),
		create("5 email is the user's", object{"email": "bob@example.test"}, 400, inv, "not that of the user"),
		create("5 account_id known", object{"account_id": "x"}, 400, inv, "account"),
		create("5 standard is required without a profile", object{"standard": nil}, 400, inv, "standard must be"),
		create("5 standard known", object{"standard": "GOLD"}, 400, inv, "standard must be"),
		create("5 validation_profile_id known", object{"validation_profile_id": "x"}, 400, inv, "names no profile"),
		create("5 standard against the profile", object{"validation_profile_id": "vp-qualified"}, 400, inv, "not that of the validation profile"),
		create("5 with profile and standard", object{"validation_profile_id": "vp-basic"}, 201, "", ""),
		create("5 of a standard once", nil, 409, taken, "of this standard"),
		create("5 a second standard", object{"standard": "ADVANCED_PLUS"}, 201, "", ""),
		create("5 a third standard", object{"standard": "QUALIFIED"}, 201, "", ""),
	})
	r.claims(t, []claim{
		{"5 the reply has its members", func(t *testing.T) {
			_, out := r.api("GET", v1+"/validation?user_id="+ada+"&limit=1", nil)
			for _, m := range []string{"id", "status", "standard", "validation_profile", "user", "email", "identity", "created_at", "approved_at", "approved_by", "reject_reason"} {
				require.Contains(t, out["items"].([]any)[0], m)
			}
		}},
		{"5 filters: status, user, address", func(t *testing.T) {
			other := r.validation(r.user("bob"), "BASIC")
			require.NoError(t, r.Step(other, "confirm-email", ""))
			for q, want := range map[string]int{"": 4, "status=PENDING_EMAIL": 3, "status=PENDING_APPROVAL": 1, "status=PENDING_EMAIL,PENDING_APPROVAL": 4, "user_id=" + ada: 3,
				"email=BOB@example.test": 1, "status=APPROVED": 0} {
				_, out := r.api("GET", v1+"/validation?"+q, nil)
				require.EqualValues(t, want, out["total"], q)
			}
		}},
		{"5 a rejection needs its reason and shows it", func(t *testing.T) {
			id := r.validation(r.user("carol"), "BASIC")
			r.Proofed("carol", nil)
			r.apiRefused("PUT", v1+"/validation/"+id+"/reject", object{}, 400, inv, "reason is required")
			_, out := r.api("PUT", v1+"/validation/"+id+"/reject", object{"reason": "the papers are somebody else's"})
			require.Equal(t, "REJECTED", out["status"])
			require.Equal(t, "the papers are somebody else's", out["reject_reason"])
			_, out = r.api("PUT", v1+"/validation/"+id+"/restart", object{})
			require.Equal(t, "PENDING_EMAIL", out["status"])
			require.Nil(t, out["reject_reason"], "it begins afresh")
		}},
		{"5 a seat is taken at approval, kept while disabled, given back on deletion", func(t *testing.T) {
			seats := func() float64 {
				_, out := r.api("GET", v1+"/seat", nil)
				return out["items"].([]any)[0].(object)["used"].(float64)
			}
			id := r.validation(r.user("dora"), "BASIC")
			r.Proofed("dora", nil)
			before := seats()
			for _, c := range []struct {
				verb string
				used float64
			}{{"approve", 1}, {"disable", 1}, {"restart", 1}} {
				r.put(v1 + "/validation/" + id + "/" + c.verb)
				require.Equal(t, before+c.used, seats(), c.verb)
			}
			status, _ := r.api("DELETE", v1+"/validation/"+id, nil)
			require.Equal(t, 204, status)
			require.Equal(t, before, seats())
		}},
		{"7 a seat that is not free is refused, whatever the standard", func(t *testing.T) {
			for i, standard := range []string{"BASIC", "ADVANCED_PLUS", "QUALIFIED"} {
				name := fmt.Sprintf("seat-%d", i)
				id := r.validation(r.user(name), standard)
				r.Proofed(name, nil)
				r.SetSeats(standard, 0)
				r.apiRefused("PUT", v1+"/validation/"+id+"/approve", object{}, 400, inv, "No free seat for standard "+standard)
				r.SetSeats(standard, 1)
				r.put(v1 + "/validation/" + id + "/approve")
			}
		}},
		{"5 what nobody does anything about expires", func(t *testing.T) {
			id := r.validation(r.user("late"), "QUALIFIED")
			r.Advance(31 * 24 * time.Hour)
			require.Equal(t, "EXPIRED", r.statusOf(v1+"/validation/"+id))
		}},
	})
}

func TestRowsOfCredentials(t *testing.T) {
	r := start(t, func(o *dtmsim.Options) { o.IssuanceDelay = time.Hour })
	ada := r.user("ada")
	v2Body := object{"user_id": ada, "account_id": r.AccountID, "org_id": r.OrgID, "certificate_profile_id": "cp-basic", "nickname": "ada-1"}
	for2 := func(name string, change object, status int, code, words string) apiRow {
		return apiRow{name, "POST", v2 + "/credential", with(v2Body, change), status, code, words}
	}
	r.apiRows(t, []apiRow{
		for2("6 user_id is required", object{"user_id": nil}, 400, inv, "required"),
		for2("6 account_id is required", object{"account_id": nil}, 400, inv, "required"),
		for2("6 org_id is required", object{"org_id": nil}, 400, inv, "required"),
		for2("6 account_id known", object{"account_id": "x"}, 400, inv, "unknown account"),
		for2("6 org_id known", object{"org_id": "x"}, 400, inv, "no active organization"),
		for2("6 user_id known", object{"user_id": "x"}, 400, inv, "names no user"),
		for2("6 certificate_profile_id known", object{"certificate_profile_id": "x"}, 400, inv, "names no profile"),
		for2("6 nickname is required", object{"nickname": " "}, 400, inv, "nickname is required"),
		for2("6 nickname at most 64", object{"nickname": strings.Repeat("n", 65)}, 400, inv, "longer than 64"),
		for2("6 nickname can be shown", object{"nickname": "a\u0007b"}, 400, inv, "cannot be shown"),
		for2("6 a standard that was not validated", object{"certificate_profile_id": "cp-advanced"}, 400, inv, "no approved validation"),
		for2("6 for a user", nil, 201, "", ""),
		for2("6 a nickname that is taken", nil, 409, taken, "nickname exists"),
		{"6 after a validation that is not there", "POST", v1 + "/credential", object{"validation_id": "x"}, 400, inv, "names no validation"},
		{"6 read by a name that is not there", "GET", v2 + "/credential/none", nil, 404, notThere, "No credential"},
	})
	r.claims(t, []claim{
		{"6 v1 and v2 answer the same members, and GET does", func(t *testing.T) {
			val := r.validation(r.user("bob"), "BASIC")
			r.Proofed("bob", nil)
			r.put(v1 + "/validation/" + val + "/approve")
			status, one := r.api("POST", v1+"/credential", object{"validation_id": val, "certificate_profile_id": "cp-basic", "nickname": "bob-1"})
			require.Equal(t, 201, status)
			_, two := r.api("GET", v2+"/credential/ada-1", nil)
			for _, m := range []string{"id", "name", "nickname", "status", "user", "account_id", "organization", "validation_id", "certificate_profile", "certificate", "revocation", "created_at"} {
				require.Contains(t, one, m)
				require.Contains(t, two, m)
			}
			require.Equal(t, val, one["validation_id"])
			require.Nil(t, two["validation_id"])
			require.Nil(t, one["certificate"], "there is none before it is ACTIVE")
		}},
		{"6 a nickname with signs of an address is found", func(t *testing.T) {
			status, _ := r.api("POST", v2+"/credential", with(v2Body, object{"nickname": "ada / 2026 ?"}))
			require.Equal(t, 201, status)
			require.Equal(t, "PENDING_ISSUANCE", r.statusOf(v2+"/credential/ada%20%2F%202026%20%3F"))
		}},
		{"6 listed by status and user, with paging", func(t *testing.T) {
			_, out := r.api("GET", v1+"/credential?user_id="+ada+"&status=PENDING_ISSUANCE&limit=1", nil)
			require.EqualValues(t, 2, out["total"])
			require.Len(t, out["items"], 1)
		}},
		{"7 an organization that is disabled gets no credential", func(t *testing.T) {
			_, out := r.api("POST", v1+"/organization", object{"name": "Closed BV", "country": "NL", "registration_number": "1"})
			org := out["id"].(string)
			_, out = r.api("PUT", v1+"/organization/"+org, object{"name": "Closed BV", "country": "NL", "status": "DISABLED"})
			require.Equal(t, "DISABLED", out["status"])
			r.apiRefused("POST", v2+"/credential", with(v2Body, object{"org_id": org, "nickname": "x"}), 400, inv, "no active organization")
		}},
	})
}

// 6: every operation from every status. What is not in the table is refused and changes nothing.
func TestRowsOfCredentialStatuses(t *testing.T) {
	r := start(t, func(o *dtmsim.Options) { o.IssuanceDelay = time.Hour })
	u := r.user("ada")
	op := map[string]string{"cancel": v2, "revoke": v1, "suspend": v1, "resume": v1}
	do := func(name, verb string) (int, object) {
		return r.api("PUT", op[verb]+"/credential/"+name+"/"+verb, object{"revocation_reason": "SUPERSEDED"})
	}
	allowed := map[string]map[string]string{
		"PENDING_ISSUANCE": {"cancel": "DEACTIVATED"},
		"ACTIVE":           {"revoke": "REVOKED", "suspend": "SUSPENDED"},
		"SUSPENDED":        {"revoke": "REVOKED", "resume": "ACTIVE"},
		"REVOKED":          {},
		"DEACTIVATED":      {},
	}
	reach := map[string][]string{"PENDING_ISSUANCE": nil, "ACTIVE": nil, "SUSPENDED": {"suspend"}, "REVOKED": {"revoke"}, "DEACTIVATED": {"cancel"}}
	inCSC := map[string]string{"ACTIVE": "valid", "SUSPENDED": "suspended", "REVOKED": "revoked"}
	for from, way := range reach {
		for verb := range op {
			t.Run("6 "+verb+" from "+from, func(t *testing.T) {
				name := strings.ToLower(from + "-" + verb)
				r.issue(u, "cp-basic-single", name)
				if from != "PENDING_ISSUANCE" && from != "DEACTIVATED" {
					r.Advance(time.Hour)
				}
				for _, v := range way {
					status, out := do(name, v)
					require.Equal(t, 200, status, "%v", out)
				}
				require.Equal(t, from, r.statusOf(v2+"/credential/"+name))
				status, out := do(name, verb)
				want := allowed[from][verb]
				if want == "" {
					require.Equal(t, 400, status, "%v", out)
					require.Contains(t, out["errors"].([]any)[0].(object)["message"], from)
					want = from
				}
				_, out = r.api("GET", v2+"/credential/"+name, nil)
				require.Equal(t, want, out["status"])
				require.Equal(t, want == "REVOKED", out["revocation"] != nil)
				r.bearer = r.serviceToken()
				status, info := r.csc("credentials/info", object{"credentialID": name, "certificates": "none", "certInfo": true})
				if inCSC[want] == "" {
					require.Equal(t, 400, status, "CSC does not know it")
					return
				}
				require.Equal(t, inCSC[want], info["cert"].(object)["status"])
				require.Equal(t, want == "ACTIVE", info["key"].(object)["status"] == "enabled")
			})
		}
	}
	for _, reason := range []string{"KEY_COMPROMISE", "AFFILIATION_CHANGED", "SUPERSEDED", "CESSATION_OF_OPERATION", "superseded"} {
		t.Run("6 reason "+reason, func(t *testing.T) {
			name := "because-" + reason
			r.issue(u, "cp-basic-single", name)
			r.Advance(time.Hour)
			status, out := r.api("PUT", v1+"/credential/"+name+"/revoke", object{"reason": reason})
			require.Equal(t, 200, status)
			require.Equal(t, strings.ToUpper(reason), out["revocation"].(object)["reason"])
		})
	}
	for _, reason := range []string{"", "CERTIFICATE_HOLD", "BORED"} {
		t.Run("6 no reason "+reason, func(t *testing.T) {
			r.issue(u, "cp-basic-single", "not-"+reason)
			r.apiRefused("PUT", v1+"/credential/not-"+reason+"/revoke", object{"revocation_reason": reason}, 400, inv, "revocation_reason must be")
		})
	}
}
