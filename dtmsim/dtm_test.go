package dtmsim_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/dtmsim"
)

const v1, v2 = "/documentmanager/api/v1", "/documentmanager/api/v2"

func (r *rig) newUser(name string) object {
	return object{"user_name": name, "email": name + "@example.test", "first_name": "Ada", "last_name": "Example", "user_type": "standard",
		"accounts": []string{r.AccountID}, "roles": []string{"DSM_DOCUMENT_SIGNER"}, "is_pipl_accepted": true, "is_tou_accepted": true,
		"description": "portal signer", "phone_number": "31600000000", "locale": "en_US"}
}

func (r *rig) user(name string) string {
	r.t.Helper()
	status, out := r.api("POST", v1+"/user", r.newUser(name))
	require.Equal(r.t, http.StatusCreated, status, "%v", out)
	return out["id"].(string)
}

func (r *rig) validation(userID, standard string) string {
	r.t.Helper()
	status, out := r.api("POST", v1+"/validation", object{"user_id": userID, "standard": standard})
	require.Equal(r.t, http.StatusCreated, status, "%v", out)
	require.Equal(r.t, "PENDING_EMAIL", out["status"])
	return out["id"].(string)
}

func (r *rig) statusOf(path string) string {
	r.t.Helper()
	status, out := r.api("GET", path, nil)
	require.Equal(r.t, 200, status, "%v", out)
	return out["status"].(string)
}

func TestDTMNeedsAnAPIKeyAndSignersMayLittle(t *testing.T) {
	r := start(t)
	s := r.Signer("cp-advanced-p256", "ada")
	r.issue(r.user("bob"), "cp-basic-single", "bob")
	for _, header := range [][]string{nil, {"x-api-key", "x"}, {"Authorization", "Bearer " + r.bearer}} {
		status, b := r.send("GET", v1+"/user", nil, header...)
		require.Equal(t, 401, status)
		require.Equal(t, "invalid_api_key", r.json(b)["errors"].([]any)[0].(object)["code"])
	}
	_, b := r.send("POST", "/sim/v1/user/"+s.UserID+"/api-key", nil)
	key := r.json(b)["api_key"].(string)
	status, b := r.send("GET", v1+"/credential", nil, "x-api-key", key)
	require.Equal(t, 200, status)
	require.EqualValues(t, 1, r.json(b)["total"], "a signer sees own credentials")
	status, _ = r.send("GET", v2+"/credential/bob", nil, "x-api-key", key)
	require.Equal(t, 404, status)
	status, _ = r.send("GET", v1+"/validation", nil, "x-api-key", key)
	require.Equal(t, 403, status)
}

func TestErrorsComeAsAListOrAsOneObject(t *testing.T) {
	r := start(t, func(o *dtmsim.Options) { o.ErrorObject = true })
	status, out := r.api("GET", v2+"/credential/none", nil)
	require.Equal(t, 404, status)
	require.Equal(t, object{"error": object{"code": "resource_not_found", "message": "No credential with this name"}}, out)
}

func TestUsersAreUniqueAndChecked(t *testing.T) {
	r := start(t)
	id := r.user("ada")
	r.apiRefused("POST", v1+"/user", r.newUser("ada"), 409, "duplicate_error", "exists")
	for field, value := range map[string]any{"user_name": "", "email": "x", "user_type": "root", "accounts": []string{}, "roles": []string{"X"}, "phone_number": "12", "first_name": 7} {
		r.apiRefused("POST", v1+"/user", with(r.newUser("bob"), object{field: value}), 400, "invalid_request", field)
	}
	status, out := r.api("POST", v1+"/user", with(r.newUser("num"), object{"phone_number": 31612345678})) // the older sample
	require.Equal(t, 201, status)
	require.Equal(t, "31612345678", out["phone_number"])
	status, out = r.api("PUT", v1+"/user/"+id, with(r.newUser("ada"), object{"last_name": "Changed"}))
	require.Equal(t, 200, status)
	require.Equal(t, "Changed", out["last_name"])
	status, out = r.api("GET", v1+"/user?user_name=ada", nil)
	require.Equal(t, 200, status)
	require.EqualValues(t, 1, out["total"])
	r.apiRefused("GET", v1+"/user/none", nil, 404, "resource_not_found", "user")
}

func TestValidationFollowsItsStatuses(t *testing.T) {
	r := start(t)
	id := r.validation(r.user("ada"), "ADVANCED_PLUS")
	path := v1 + "/validation/" + id
	r.apiRefused("PUT", path+"/approve", object{}, 400, "invalid_request", "PENDING_EMAIL")

	mail := r.Mailbox("ada@example.test")
	require.Equal(t, "Confirm your e-mail", mail[0].Label)
	link, err := url.Parse(mail[0].Link)
	require.NoError(t, err)
	status, _ := r.send("GET", link.Path, nil)
	require.Equal(t, 200, status)
	_, out := r.api("GET", path, nil)
	require.Equal(t, "PENDING_IDENTITY", out["status"])
	require.Equal(t, true, out["email"].(object)["verified"])
	proofing := out["identity"].(object)
	require.Equal(t, "ACTION_NEEDED", proofing["status"])
	require.Contains(t, proofing["url"], r.BaseURL+"/proofing/")

	for _, s := range []struct{ step, want string }{{"submit", "SUBMITTED"}, {"start-review", "IN_REVIEW"}, {"resubmit", "RESUBMIT"}, {"submit", "SUBMITTED"}, {"verify", "VERIFIED"}} {
		require.NoError(t, r.Step(id, s.step, ""))
		_, out = r.api("GET", path, nil)
		require.Equal(t, s.want, out["identity"].(object)["status"])
	}
	require.Equal(t, "PENDING_APPROVAL", out["status"])
	require.Equal(t, "Ada", out["identity"].(object)["attributes"].(object)["given_name"])

	status, out = r.api("PUT", path+"/restart", object{"reason": "photo is blurred", "step": "IDENTITY"})
	require.Equal(t, 200, status)
	require.Equal(t, "PENDING_IDENTITY", out["status"])
	require.Equal(t, "RESUBMIT", out["identity"].(object)["status"])
	require.Equal(t, "photo is blurred", out["identity"].(object)["reason"])
	r.Proofed("ada", map[string]string{"given_name": "Ada", "family_name": "Byron"})

	status, out = r.api("PUT", path+"/approve", object{})
	require.Equal(t, 200, status)
	require.Equal(t, "APPROVED", out["status"])
	require.NotEmpty(t, out["approved_by"])
	r.apiRefused("PUT", path+"/approve", object{}, 400, "invalid_request", "APPROVED")
	r.apiRefused("PUT", path+"/cancel", object{}, 400, "invalid_request", "APPROVED")
	_, out = r.api("PUT", path+"/disable", object{})
	require.Equal(t, "DISABLED", out["status"])
	_, out = r.api("PUT", path+"/restart", object{})
	require.Equal(t, "APPROVED", out["status"])
}

func TestValidationCommandsOverAllStatuses(t *testing.T) {
	r := start(t)
	reach := map[string]func(id, path string){
		"PENDING_EMAIL":    func(string, string) {},
		"PENDING_IDENTITY": func(id, _ string) { require.NoError(t, r.Step(id, "confirm-email", "")) },
		"PENDING_APPROVAL": func(id, path string) { r.proofOf(path) },
		"APPROVED":         func(id, path string) { r.proofOf(path); r.put(path + "/approve") },
		"REJECTED":         func(id, path string) { r.proofOf(path); r.put(path + "/reject") },
		"CANCELLED":        func(id, path string) { r.put(path + "/cancel") },
		"DISABLED":         func(id, path string) { r.proofOf(path); r.put(path + "/approve"); r.put(path + "/disable") },
		"EXPIRED":          func(string, string) { r.Advance(31 * 24 * time.Hour) },
	}
	allowed := map[string]map[string]string{
		"PENDING_EMAIL":    {"cancel": "CANCELLED"},
		"PENDING_IDENTITY": {"cancel": "CANCELLED", "reject": "REJECTED"},
		"PENDING_APPROVAL": {"cancel": "CANCELLED", "reject": "REJECTED", "approve": "APPROVED"},
		"APPROVED":         {"disable": "DISABLED"},
		"REJECTED":         {"restart": "PENDING_EMAIL"},
		"CANCELLED":        {"restart": "PENDING_EMAIL"},
		"EXPIRED":          {"restart": "PENDING_EMAIL"},
		"DISABLED":         {"restart": "APPROVED"},
	}
	n := 0
	for from, set := range reach {
		for _, verb := range []string{"approve", "reject", "cancel", "disable", "restart"} {
			n++
			id := r.validation(r.user("u"+string(rune('a'+n/26))+string(rune('a'+n%26))), "ADVANCED_PLUS")
			path := v1 + "/validation/" + id
			set(id, path)
			require.Equal(t, from, r.statusOf(path))
			want, ok := allowed[from][verb]
			if !ok {
				r.apiRefused("PUT", path+"/"+verb, object{"reason": "x"}, 400, "invalid_request", from)
				require.Equal(t, from, r.statusOf(path), "a refused %s changes nothing", verb)
				continue
			}
			r.put(path + "/" + verb)
			require.Equal(t, want, r.statusOf(path))
		}
	}
}

func (r *rig) put(path string) {
	r.t.Helper()
	status, out := r.api("PUT", path, object{"reason": "x"})
	require.Equal(r.t, 200, status, "%v", out)
}

// proofOf takes the validation at a path to PENDING_APPROVAL.
func (r *rig) proofOf(path string) {
	r.t.Helper()
	_, out := r.api("GET", path, nil)
	r.Proofed(out["user"].(object)["id"].(string), nil)
}

func TestBasicValidationHasNoIdentityProofing(t *testing.T) {
	r := start(t)
	id := r.validation(r.user("ada"), "BASIC")
	require.NoError(t, r.Step(id, "confirm-email", ""))
	_, out := r.api("GET", v1+"/validation/"+id, nil)
	require.Equal(t, "PENDING_APPROVAL", out["status"])
	require.Nil(t, out["identity"])
	r.apiRefused("PUT", v1+"/validation/"+id+"/restart", object{"step": "IDENTITY"}, 400, "invalid_request", "no identity step")
}

func TestASeatIsTakenAtApprovalAndGivenBack(t *testing.T) {
	r := start(t)
	r.SetSeats("BASIC", 1)
	seats := func() (used, free float64) {
		_, out := r.api("GET", v1+"/seat", nil)
		basic := out["items"].([]any)[0].(object)
		return basic["used"].(float64), basic["available"].(float64)
	}
	one, two := r.validation(r.user("ada"), "BASIC"), r.validation(r.user("bob"), "BASIC")
	r.Proofed("ada", nil)
	r.Proofed("bob", nil)
	used, free := seats()
	require.Equal(t, []float64{0, 1}, []float64{used, free}, "waiting takes no seat")
	r.put(v1 + "/validation/" + one + "/approve")
	r.apiRefused("PUT", v1+"/validation/"+two+"/approve", object{}, 400, "invalid_request", "No free seat for standard BASIC")
	require.Equal(t, "PENDING_APPROVAL", r.statusOf(v1+"/validation/"+two))
	status, _ := r.api("DELETE", v1+"/validation/"+one, nil)
	require.Equal(t, 204, status)
	r.put(v1 + "/validation/" + two + "/approve")
}

func TestOneValidationPerUserAndStandard(t *testing.T) {
	r := start(t)
	u := r.user("ada")
	id := r.validation(u, "BASIC")
	r.apiRefused("POST", v1+"/validation", object{"user_id": u, "standard": "BASIC"}, 409, "duplicate_error", "standard")
	r.validation(u, "ADVANCED_PLUS")
	r.put(v1 + "/validation/" + id + "/cancel")
	r.validation(u, "BASIC")
	status, out := r.api("GET", v1+"/validation?status=PENDING_EMAIL&user_id="+u+"&limit=1", nil)
	require.Equal(t, 200, status)
	require.EqualValues(t, 2, out["total"])
	require.Len(t, out["items"], 1)
}

func TestACredentialIsIssuedAfterItsDelayAndFollowsItsStatuses(t *testing.T) {
	r := start(t, func(o *dtmsim.Options) { o.IssuanceDelay = time.Hour })
	u := r.user("ada")
	val := r.validation(u, "ADVANCED_PLUS")
	in := object{"validation_id": val, "certificate_profile_id": "cp-advanced-p256", "nickname": "ada 1"}
	r.apiRefused("POST", v1+"/credential", in, 400, "invalid_request", "not APPROVED")
	r.Proofed("ada", map[string]string{"given_name": "Augusta", "family_name": "King"})
	r.put(v1 + "/validation/" + val + "/approve")
	status, out := r.api("POST", v1+"/credential", in)
	require.Equal(t, 201, status, "%v", out)
	require.Equal(t, "PENDING_ISSUANCE", out["status"])
	require.Nil(t, out["certificate"])
	r.apiRefused("POST", v1+"/credential", in, 409, "duplicate_error", "nickname")

	path := v1 + "/credential/ada%201"
	for _, verb := range []string{"/revoke", "/suspend", "/resume"} {
		r.apiRefused("PUT", path+verb, object{"revocation_reason": "SUPERSEDED"}, 400, "invalid_request", "PENDING_ISSUANCE")
	}
	r.refused("credentials/info", object{"credentialID": "ada 1"}, 400, "invalid_request", "Invalid parameter credentialID")
	r.Advance(time.Hour)
	r.bearer = r.serviceToken()
	_, out = r.api("GET", v2+"/credential/ada%201", nil)
	require.Equal(t, "ACTIVE", out["status"])
	require.Equal(t, "CN=Augusta King,givenName=Augusta,SN=King,O=DTM Simulator,C=NL", out["certificate"].(object)["subject"], "the certificate names who was proofed")
	r.apiRefused("PUT", v2+"/credential/ada%201/cancel", object{}, 400, "invalid_request", "ACTIVE")
	r.put(path + "/suspend")
	require.Equal(t, "SUSPENDED", r.statusOf(v2+"/credential/ada%201"))
	r.apiRefused("PUT", path+"/suspend", object{}, 400, "invalid_request", "SUSPENDED")
	r.put(path + "/resume")
	r.apiRefused("PUT", path+"/revoke", object{"revocation_reason": "BORED"}, 400, "invalid_request", "revocation_reason")
	status, out = r.api("PUT", path+"/revoke", object{"reason": "key_compromise", "user_id": u})
	require.Equal(t, 200, status)
	require.Equal(t, "KEY_COMPROMISE", out["revocation"].(object)["reason"])
	for _, verb := range []string{"/revoke", "/suspend", "/resume"} {
		r.apiRefused("PUT", path+verb, object{"revocation_reason": "SUPERSEDED"}, 400, "invalid_request", "REVOKED")
	}
}

func TestAPendingCredentialCanBeCancelled(t *testing.T) {
	r := start(t, func(o *dtmsim.Options) { o.IssuanceDelay = time.Hour })
	r.issue(r.user("ada"), "cp-basic-single", "ada")
	r.put(v2 + "/credential/ada/cancel")
	require.Equal(t, "DEACTIVATED", r.statusOf(v2+"/credential/ada"))
	r.Advance(2 * time.Hour)
	require.Equal(t, "DEACTIVATED", r.statusOf(v2+"/credential/ada"), "it is not issued after all")
}

func TestIssuingNeedsTheStandardAndTheRole(t *testing.T) {
	r := start(t)
	u := r.user("ada")
	in := object{"user_id": u, "account_id": r.AccountID, "org_id": r.OrgID, "certificate_profile_id": "cp-advanced", "nickname": "ada"}
	r.apiRefused("POST", v2+"/credential", in, 400, "invalid_request", "ADVANCED_PLUS")
	r.apiRefused("POST", v2+"/credential", with(in, object{"org_id": nil}), 400, "invalid_request", "required")
	r.apiRefused("POST", v2+"/credential", with(in, object{"nickname": " "}), 400, "invalid_request", "nickname")
	status, out := r.api("POST", v1+"/user", with(r.newUser("clerk"), object{"roles": []string{}}))
	require.Equal(t, 201, status)
	r.apiRefused("POST", v2+"/credential", with(in, object{"user_id": out["id"], "certificate_profile_id": "cp-basic"}), 403, "access_denied", "DSM_DOCUMENT_SIGNER")
}

func TestDeletingAValidationRevokesWhatStandsOnIt(t *testing.T) {
	r := start(t)
	val := r.validation(r.user("ada"), "BASIC")
	r.Proofed("ada", nil)
	r.put(v1 + "/validation/" + val + "/approve")
	status, _ := r.api("POST", v1+"/credential", object{"validation_id": val, "certificate_profile_id": "cp-basic-single", "nickname": "ada"})
	require.Equal(t, 201, status)
	status, _ = r.api("DELETE", v1+"/validation/"+val, object{"revocation_reason": "AFFILIATION_CHANGED"})
	require.Equal(t, 204, status)
	_, out := r.api("GET", v2+"/credential/ada", nil)
	require.Equal(t, "REVOKED", out["status"])
	require.Equal(t, "AFFILIATION_CHANGED", out["revocation"].(object)["reason"])
}

func TestProofingAndApprovalCanGoByThemselves(t *testing.T) {
	r := start(t, func(o *dtmsim.Options) { o.ProofingAuto, o.AutoApprove = time.Minute, true })
	id := r.validation(r.user("ada"), "ADVANCED_PLUS")
	require.NoError(t, r.Step(id, "confirm-email", ""))
	require.NoError(t, r.Step(id, "submit", ""))
	r.Advance(31 * time.Second)
	_, out := r.api("GET", v1+"/validation/"+id, nil)
	require.Equal(t, "IN_REVIEW", out["identity"].(object)["status"])
	r.Advance(31 * time.Second)
	require.Equal(t, "APPROVED", r.statusOf(v1+"/validation/"+id))
}

func TestRolesAreABareArrayAndProfilesAnEnvelope(t *testing.T) {
	r := start(t)
	status, b := r.send("GET", "/account/api/v1/role?application_code=document_signing_manager", nil, "x-api-key", r.APIKey)
	require.Equal(t, 200, status)
	require.Equal(t, byte('['), b[0])
	require.Contains(t, string(b), "DSM_DOCUMENT_SIGNER")
	_, out := r.api("GET", v1+"/certificate-profile", nil)
	require.EqualValues(t, len(out["items"].([]any)), out["total"])
	status, b = r.send("GET", "/account/api/v1/user/me", nil, "x-api-key", r.APIKey)
	require.Equal(t, 200, status)
	require.Contains(t, string(b), "DSM_CLIENT_ADMIN")
}

func TestTheAuditLogIsFilteredAndPaged(t *testing.T) {
	r := start(t)
	s := r.Signer("cp-basic", "ada")
	h := digest("a")
	r.authorized(s, "cp-basic", 1, h)
	val := r.validation(r.user("bob"), "BASIC")
	_, _ = r.api("PUT", v1+"/validation/"+val+"/approve", object{})
	total := func(query string) float64 {
		status, out := r.api("GET", v1+"/audit-log?"+query, nil)
		require.Equal(t, 200, status, "%v", out)
		return out["total"].(float64)
	}
	require.EqualValues(t, 2, total("resource_type=signature&resource_id=ada"))
	require.EqualValues(t, 1, total("action=authorize&status=success"))
	require.EqualValues(t, 1, total("resource_type=validation&status=failure"))
	require.Zero(t, total("to=2020-01-01"))
	require.NotZero(t, total("from=2020-01-01T00:00:00Z"))
	_, out := r.api("GET", v1+"/audit-log?action=authorize", nil)
	item := out["items"].([]any)[0].(object)
	require.Len(t, item["hashes"], 1)
	status, _ := r.api("GET", v1+"/audit-log/"+item["id"].(string), nil)
	require.Equal(t, 200, status)
	r.apiRefused("GET", v1+"/audit-log?from=yesterday", nil, 400, "invalid_request", "from")
}
