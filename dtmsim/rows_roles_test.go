package dtmsim_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/dtmsim"
)

// 12: every permission of every role, and of the service user.
func TestRowsOfPermissions(t *testing.T) {
	r := start(t)
	signer := r.Signer("cp-basic-single", "own")
	stranger := r.Signer("cp-basic-single", "strange")
	ownVal := r.validation(signer.UserID, "BASIC")
	advanced := r.validation(stranger.UserID, "ADVANCED_PLUS")
	keys := map[string]string{"service": r.APIKey, "signer": r.keyOf(signer)}
	for role, code := range map[string]string{"admin": "DSM_CLIENT_ADMIN", "approver": "DSM_ORGANIZATION_APPROVER", "auditor": "DSM_SYSTEM_AUDITOR", "specialist": "DSM_VALIDATION_SPECIALIST"} {
		status, out := r.api("POST", v1+"/user", with(r.newUser(role), object{"roles": []string{code}}))
		require.Equal(t, 201, status)
		keys[role] = r.keyOf(dtmsim.Signer{UserID: out["id"].(string)})
	}
	// Each is a request that is refused for its contents, when it is not for the role: 400 or 404 tells that it was let in.
	for _, c := range []struct {
		name, method, path string
		in                 any
		may                string
	}{
		{"sign", "POST", v1 + "/hashes", object{}, "service signer"},
		{"create credentials", "POST", v2 + "/credential", object{}, "service signer admin"},
		{"view credentials", "GET", v1 + "/credential", nil, "service signer admin approver auditor"},
		{"manage credentials", "PUT", v1 + "/credential/own/revoke", object{}, "service signer admin"},
		{"view profiles", "GET", v1 + "/certificate-profile", nil, "service signer admin approver auditor specialist"},
		{"view validation profiles", "GET", v1 + "/validation-profile", nil, "service signer admin approver auditor specialist"},
		{"view certificate templates", "GET", v1 + "/certificate-template", nil, "service admin"},
		{"create validations", "POST", v1 + "/validation", object{}, "service admin"},
		{"view validations", "GET", v1 + "/validation", nil, "service admin approver auditor specialist"},
		{"approve basic validations", "PUT", v1 + "/validation/" + ownVal + "/approve", object{}, "service admin approver"},
		{"approve other validations", "PUT", v1 + "/validation/" + advanced + "/approve", object{}, "service admin"},
		{"delete other validations", "DELETE", v1 + "/validation/" + advanced, object{"reason": "x"}, "service admin"},
		{"manage organizations", "POST", v1 + "/organization", object{}, "service admin"},
		{"view the audit log", "GET", v1 + "/audit-log", nil, "service signer admin auditor"},
		{"view the licence", "GET", v1 + "/seat", nil, "service admin auditor"},
		{"manage users", "POST", v1 + "/user", object{}, "service admin"},
		{"view users", "GET", "/account/api/v1/user", nil, "service admin"},
		{"who am I", "GET", "/account/api/v1/user/me", nil, "service signer admin approver auditor specialist"},
	} {
		for who, key := range keys {
			t.Run("12 "+c.name+" as "+who, func(t *testing.T) {
				status, b := r.send(c.method, c.path, c.in, "x-api-key", key)
				if !strings.Contains(" "+c.may+" ", " "+who+" ") {
					require.Equal(t, http.StatusForbidden, status, "%s", b)
					require.Contains(t, string(b), denied)
					return
				}
				require.Contains(t, []int{200, 400, 404}, status, "%s", b)
			})
		}
	}
	as := func(who, method, path string, in any) (int, object) {
		status, b := r.send(method, path, in, "x-api-key", keys[who])
		return status, r.json(b)
	}
	r.claims(t, []claim{
		{"12 a signer sees own credentials, the others those of the account", func(t *testing.T) {
			for who, want := range map[string]float64{"signer": 1, "admin": 2, "approver": 2, "auditor": 2} {
				_, out := as(who, "GET", v1+"/credential", nil)
				require.Equal(t, want, out["total"], who)
			}
			status, _ := as("signer", "GET", v2+"/credential/strange", nil)
			require.Equal(t, 404, status, "what is not theirs is not there")
			status, _ = as("signer", "PUT", v1+"/credential/strange/revoke", object{"revocation_reason": "SUPERSEDED"})
			require.Equal(t, 404, status)
		}},
		{"11 a signer sees own entries, an admin the account's", func(t *testing.T) {
			_, own := as("signer", "GET", v1+"/audit-log", nil)
			_, all := as("admin", "GET", v1+"/audit-log", nil)
			require.Less(t, own["total"], all["total"])
			entry := all["items"].([]any)[0].(object)["id"].(string)
			status, _ := as("signer", "GET", v1+"/audit-log/"+entry, nil)
			require.Equal(t, 404, status)
		}},
		{"12 the roles tell what they may", func(t *testing.T) {
			_, b := r.send("GET", "/account/api/v1/role?application_code=document_signing_manager", nil, "x-api-key", r.APIKey)
			for _, words := range []string{"MANAGE_DSM_VIEW_CERTIFICATE_PROFILES", "MANAGE_DSM_ADD_VALIDATIONS", "MANAGE_DSM_VIEW_CERTIFICATE_TEMPLATES", "MANAGE_DSM_VIEW_VALIDATIONS", "DSM_DOCUMENT_SIGNER"} {
				require.Contains(t, string(b), words)
			}
			require.NotContains(t, string(b), `"service"`)
			_, b = r.send("GET", "/account/api/v1/role?application_code=other", nil, "x-api-key", r.APIKey)
			require.Equal(t, "[]", strings.TrimSpace(string(b)))
		}},
		{"2 a key that was replaced is none", func(t *testing.T) {
			old := keys["auditor"]
			_, out := as("auditor", "GET", "/account/api/v1/user/me", nil)
			keys["auditor"] = r.keyOf(dtmsim.Signer{UserID: out["id"].(string)})
			status, _ := r.send("GET", v1+"/seat", nil, "x-api-key", old)
			require.Equal(t, 401, status)
		}},
	})
}

func TestRowsOfTheAuditLog(t *testing.T) {
	r := start(t)
	s := r.Signer("cp-rsa2048", "ada")
	r.authorized(s, "cp-rsa2048", 1, digest("a"))
	r.made(hashesOf("ada", nil))
	val := r.validation(r.user("bob"), "BASIC")
	_, _ = r.api("PUT", v1+"/validation/"+val+"/approve", object{})
	day := r.Clock().UTC().Format("2006-01-02")
	items := func(query string) []any {
		status, out := r.api("GET", v1+"/audit-log?"+query, nil)
		require.Equal(r.t, 200, status, "%v", out)
		return out["items"].([]any)
	}
	all := len(items("limit=100"))
	for query, want := range map[string]int{
		"resource_type=signature": 2, "resource_types=signature,user": 3, "resource_id=" + val: 2, "action=prepare": 1, "action=authorize,prepare": 2,
		"status=failure": 1, "status=success,failure,warning": all, "user_name=portal-service": 4, "account_id=" + r.AccountID: all, "account_id=x": 0,
		"from=" + day: all, "to=" + day: all, "to=2020-01-01": 0, "from=2099-01-01T00:00:00Z": 0, "resource_type=validation&status=failure&action=approve": 1,
	} {
		t.Run("11 "+query, func(t *testing.T) { require.Len(t, items(query+"&limit=100"), want) })
	}
	r.claims(t, []claim{
		{"11 newest first, and the other way when asked", func(t *testing.T) {
			down, up := items("limit=100&sort=-timestamp"), items("limit=100&sort=timestamp")
			require.Equal(t, items("limit=100"), down)
			for i := range down {
				require.Equal(t, down[i], up[len(up)-1-i])
			}
			r.apiRefused("GET", v1+"/audit-log?sort=colour", nil, 400, inv, "sort")
		}},
		{"11 an entry has its members", func(t *testing.T) {
			for _, m := range []string{"id", "account", "resource_type", "resource_id", "action", "user", "timestamp", "description", "status", "authentication_type", "certificate_type", "certificate_level", "hashes"} {
				require.Contains(t, items("action=prepare")[0], m)
			}
		}},
		{"11 a time that is none", func(t *testing.T) { r.apiRefused("GET", v1+"/audit-log?to=soon", nil, 400, inv, "to must be") }},
	})
}

// 13: the shapes of errors and of lists, and the limits.
func TestRowsOfErrorsAndPaging(t *testing.T) {
	list, object1 := start(t), start(t, func(o *dtmsim.Options) { o.ErrorObject, o.BareLists = true, true })
	for name, c := range map[string]struct {
		path, key string
		status    int
		code      string
	}{
		"13 401": {v1 + "/user", "x", 401, "invalid_api_key"},
		"13 404": {v1 + "/user/x", list.APIKey, 404, notThere},
		"13 400": {v1 + "/user?limit=x", list.APIKey, 400, inv},
	} {
		t.Run(name, func(t *testing.T) {
			status, b := list.send("GET", c.path, nil, "x-api-key", c.key)
			require.Equal(t, c.status, status)
			require.Equal(t, c.code, list.json(b)["errors"].([]any)[0].(object)["code"])
			if c.code == inv {
				status, b = list.send("GET", c.path, nil, "x-api-key", c.key)
				require.Equal(t, 400, status)
				require.Equal(t, "limit", list.json(b)["errors"].([]any)[0].(object)["field"])
				return
			}
			_, b = object1.send("GET", c.path, nil, "x-api-key", c.key)
			require.Equal(t, c.code, object1.json(b)["error"].(object)["code"])
		})
	}
	for i := range 25 {
		list.user(fmt.Sprintf("u%02d", i))
		object1.user(fmt.Sprintf("u%02d", i))
	}
	for query, want := range map[string][4]int{ // offset, limit, rows, first
		"": {0, 20, 20, 0}, "offset=20": {20, 20, 5, 20}, "limit=7": {0, 7, 7, 0}, "offset=24&limit=5": {24, 5, 1, 24}, "offset=99": {99, 20, 0, 0}, "limit=0": {0, 0, 0, 0}, "limit=1000": {0, 100, 25, 0},
	} {
		t.Run("13 paging "+query, func(t *testing.T) {
			_, out := list.api("GET", v1+"/user?"+query, nil)
			require.EqualValues(t, 25, out["total"])
			require.EqualValues(t, want[0], out["offset"])
			require.EqualValues(t, want[1], out["limit"])
			require.Len(t, out["items"], want[2])
			if want[2] > 0 {
				require.Equal(t, fmt.Sprintf("u%02d", want[3]), out["items"].([]any)[0].(object)["user_name"])
			}
		})
	}
	for _, bad := range []string{"offset=-1", "limit=-1", "offset=x", "limit=1.5"} {
		t.Run("13 paging "+bad, func(t *testing.T) { list.apiRefused("GET", v1+"/user?"+bad, nil, 400, inv, "must be a number") })
	}
	t.Run("13 bare lists are whole", func(t *testing.T) {
		for _, path := range []string{v1 + "/user?limit=2", "/account/api/v1/user"} {
			_, b := object1.send("GET", path, nil, "x-api-key", object1.APIKey)
			require.Equal(t, 25, strings.Count(string(b), `"user_name"`))
			require.Equal(t, byte('['), b[0])
		}
		_, b := object1.send("GET", v1+"/validation", nil, "x-api-key", object1.APIKey)
		require.Equal(t, "[]", strings.TrimSpace(string(b)))
	})
	t.Run("13 429 and 503 tell when to come again", func(t *testing.T) {
		r := start(t, func(o *dtmsim.Options) { o.RateLimit = 2 })
		for range 2 {
			_, _ = r.send("GET", v1+"/seat", nil, "x-api-key", r.APIKey)
		}
		req, err := http.NewRequest("GET", r.BaseURL+v1+"/seat", nil)
		require.NoError(t, err)
		req.Header.Set("x-api-key", r.APIKey)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		resp.Body.Close()
		require.Equal(t, 429, resp.StatusCode)
		require.NotEmpty(t, resp.Header.Get("Retry-After"))
		r.Advance(6 * time.Second)
		r.Trouble(dtmsim.Fault{Path: "api/v1/seat", Status: 503, Header: map[string]string{"Retry-After": "Wed, 21 Oct 2099 07:28:00 GMT"}, Body: `{"errors":[{"code":"service_unavailable","message":"later"}]}`})
		resp, err = http.DefaultClient.Do(req)
		require.NoError(t, err)
		resp.Body.Close()
		require.Equal(t, 503, resp.StatusCode)
		require.Contains(t, resp.Header.Get("Retry-After"), "2099", "a date is as good as seconds")
	})
}
