package templates

import (
	"context"
	"strings"

	"countersign/audit"
	"countersign/identity"
	"countersign/signing"
)

// Sentence tells an entry in the past, to follow the name of who acted: "approved the
// identity check". It is English; pages write it in their own language.
func Sentence(e audit.Entry) string { return deed(context.Background(), e) }

func deed(ctx context.Context, e audit.Entry) string {
	if e.Outcome == audit.Observed || e.System == "dtm" {
		return observed(ctx, e)
	}
	past, infinitive := deedWords(ctx, e.Action)
	switch e.Outcome {
	case audit.Refused:
		return T(ctx, "was not allowed to {{.Do}}", "Do", infinitive)
	case audit.Failed:
		return T(ctx, "tried to {{.Do}}, which failed", "Do", infinitive)
	}
	return past
}

// observed tells a change at DigiCert that we saw and did not cause.
func observed(ctx context.Context, e audit.Entry) string {
	if e.To == "" {
		return T(ctx, "reported a change")
	}
	return T(ctx, "reported: {{.State}}", "State", stateName(ctx, e.Object, e.To))
}

func stateName(ctx context.Context, object, state string) string {
	switch object {
	case "validation":
		return ValidationBadge(ctx, identity.Validation{State: identity.ValidationState(state), DTMStatus: state}, true).Text
	case "credential":
		return CredentialBadge(ctx, identity.Credential{State: identity.CredentialState(state), DTMStatus: state}).Text
	case "document":
		return DocumentBadge(ctx, signing.Document{State: signing.DocumentState(state)}).Text
	case "ceremony":
		return CeremonyBadge(ctx, signing.Ceremony{State: signing.CeremonyState(state)}).Text
	case "grant":
		return map[string]string{"open": T(ctx, "connected"), "ended": T(ctx, "ended")}[state]
	case "signature":
		return SignatureBadge(ctx, signing.Signature{State: signing.SignatureState(state)}, false).Text
	}
	return state
}

// objectName is the kind of an object in words.
func objectName(ctx context.Context, kind string) string {
	switch kind {
	case "validation":
		return T(ctx, "Identity check")
	case "credential":
		return T(ctx, "Credential")
	case "document":
		return T(ctx, "Document")
	case "ceremony":
		return T(ctx, "Signing")
	case "signature":
		return T(ctx, "Signature")
	case "person":
		return T(ctx, "Person")
	case "session":
		return T(ctx, "Session")
	case "grant":
		return T(ctx, "DigiCert account")
	case "audit":
		return T(ctx, "Audit log")
	}
	return kind
}

// deedWords are the two forms of an action. They differ in every case, also in English, for
// most languages have two words where English could do with one: "read" and "see".
func deedWords(ctx context.Context, action string) (past, infinitive string) {
	switch action {
	case "validation.start":
		return T(ctx, "started an identity check"), T(ctx, "start an identity check")
	case "validation.create":
		return T(ctx, "started an identity check"), T(ctx, "start an identity check")
	case "validation.cancel":
		return T(ctx, "cancelled the identity check"), T(ctx, "cancel the identity check")
	case "validation.approve":
		return T(ctx, "approved the identity check"), T(ctx, "approve the identity check")
	case "validation.approve-first":
		return T(ctx, "gave the identity check its first approval"), T(ctx, "approve the identity check")
	case "validation.hold":
		return T(ctx, "approved the identity check, for now"), T(ctx, "approve the identity check")
	case "validation.confirm":
		return T(ctx, "told DigiCert of the approval"), T(ctx, "tell DigiCert of the approval")
	case "validation.open", "validation.send":
		return T(ctx, "told DigiCert of the identity check"), T(ctx, "tell DigiCert of the identity check")
	case "validation.send-failed":
		return T(ctx, "could not tell DigiCert of the identity check"), T(ctx, "tell DigiCert of the identity check")
	case "validation.approve-send":
		return T(ctx, "sent the approval to DigiCert"), T(ctx, "send the approval to DigiCert")
	case "validation.approved":
		return T(ctx, "saw DigiCert take the approval"), T(ctx, "approve the identity check at DigiCert")
	case "validation.approve-failed":
		return T(ctx, "saw DigiCert refuse the approval"), T(ctx, "approve the identity check at DigiCert")
	case "validation.decide-failed":
		return T(ctx, "saw DigiCert refuse the decision"), T(ctx, "send the decision to DigiCert")
	case "validation.observe", "validation.overdue":
		return T(ctx, "looked at the identity check at DigiCert"), T(ctx, "look at the identity check at DigiCert")
	case "validation.list", "validation.list-any":
		return T(ctx, "listed identity checks"), T(ctx, "list identity checks")
	case "credential.issue-ask":
		return T(ctx, "asked DigiCert to make a credential"), T(ctx, "have a credential made at DigiCert")
	case "credential.suspend-ask":
		return T(ctx, "asked DigiCert to suspend the credential"), T(ctx, "suspend the credential")
	case "credential.resume-ask":
		return T(ctx, "asked DigiCert to resume the credential"), T(ctx, "resume the credential")
	case "credential.revoke-ask":
		return T(ctx, "asked DigiCert to revoke the credential"), T(ctx, "revoke the credential")
	case "credential.observe", "credential.overdue":
		return T(ctx, "looked at the credential at DigiCert"), T(ctx, "look at the credential at DigiCert")
	case "credential.use":
		return T(ctx, "used the credential"), T(ctx, "use the credential")
	case "credential.list", "credential.list-any":
		return T(ctx, "listed credentials"), T(ctx, "list credentials")
	case "ceremony.used":
		return T(ctx, "used the approval up"), T(ctx, "use the approval")
	case "document.sign":
		return T(ctx, "signed the document"), T(ctx, "sign the document")
	case "signature.discard":
		return T(ctx, "threw a late answer away"), T(ctx, "throw a late answer away")
	case "audit.read-remote":
		return T(ctx, "read DigiCert’s log"), T(ctx, "see DigiCert’s log")
	case "profile.list":
		return T(ctx, "listed certificate profiles"), T(ctx, "list certificate profiles")
	case "seat.list":
		return T(ctx, "looked at the seats"), T(ctx, "look at the seats")
	case "validation.undo":
		return T(ctx, "took the approval back"), T(ctx, "take the approval back")
	case "validation.correct":
		return T(ctx, "asked for a correction"), T(ctx, "ask for a correction")
	case "validation.correct-ask", "validation.refuse-ask":
		return T(ctx, "decided about the identity check"), T(ctx, "decide about the identity check")
	case "validation.refuse":
		return T(ctx, "refused the identity check"), T(ctx, "refuse the identity check")
	case "validation.reject":
		return T(ctx, "refused the identity check"), T(ctx, "refuse the identity check")
	case "validation.expire":
		return T(ctx, "let the identity check run out"), T(ctx, "end the identity check")
	case "validation.read":
		return T(ctx, "read the identity check"), T(ctx, "see the identity check")
	case "validation.read-any":
		return T(ctx, "read somebody’s identity check"), T(ctx, "see somebody’s identity check")
	case "validation.review":
		return T(ctx, "looked at the review desk"), T(ctx, "look at the review desk")
	case "credential.issue":
		return T(ctx, "had a credential made"), T(ctx, "have a credential made")
	case "credential.create":
		return T(ctx, "had a credential made"), T(ctx, "have a credential made")
	case "credential.suspend":
		return T(ctx, "suspended the credential"), T(ctx, "suspend the credential")
	case "credential.resume":
		return T(ctx, "resumed the credential"), T(ctx, "resume the credential")
	case "credential.revoke":
		return T(ctx, "revoked the credential"), T(ctx, "revoke the credential")
	case "credential.cancel":
		return T(ctx, "stopped the making of the credential"), T(ctx, "stop the making of the credential")
	case "credential.manage":
		return T(ctx, "changed the credential"), T(ctx, "change the credential")
	case "credential.manage-any":
		return T(ctx, "changed somebody’s credential"), T(ctx, "change somebody’s credential")
	case "credential.read":
		return T(ctx, "read the credential"), T(ctx, "see the credential")
	case "credential.read-any":
		return T(ctx, "read somebody’s credential"), T(ctx, "see somebody’s credential")
	case "credential.renew-ask":
		return T(ctx, "asked for a new credential in its place"), T(ctx, "ask for a new credential in its place")
	case "credential.renew-drop":
		return T(ctx, "took the request for a new credential back"), T(ctx, "take the request for a new credential back")
	case "credential.renew":
		return T(ctx, "had a new credential made in its place"), T(ctx, "have a new credential made in its place")
	case "credential.retire":
		return T(ctx, "retired the credential: a newer one took its place"), T(ctx, "retire the credential")
	case "credential.default":
		return T(ctx, "made the credential their default"), T(ctx, "make the credential the default")
	case "credential.expire":
		return T(ctx, "saw the credential run out"), T(ctx, "end the credential")
	case "document.submit":
		return T(ctx, "uploaded a document"), T(ctx, "upload a document")
	case "document.upload":
		return T(ctx, "uploaded a document"), T(ctx, "upload a document")
	case "document.receive":
		return T(ctx, "began to receive a document"), T(ctx, "receive a document")
	case "document.ready":
		return T(ctx, "found the document fit to sign"), T(ctx, "check the document")
	case "document.refuse":
		return T(ctx, "did not accept the document"), T(ctx, "take the document")
	case "document.quarantine":
		return T(ctx, "set the document aside"), T(ctx, "put the document aside")
	case "document.read":
		return T(ctx, "read the document"), T(ctx, "see the document")
	case "document.erase":
		return T(ctx, "erased the document"), T(ctx, "erase the document")
	case "ceremony.begin":
		return T(ctx, "began to sign"), T(ctx, "begin to sign")
	case "ceremony.send":
		return T(ctx, "had a code sent"), T(ctx, "have a code sent")
	case "ceremony.send_code":
		return T(ctx, "had a code sent"), T(ctx, "have a code sent")
	case "ceremony.ask_consent":
		return T(ctx, "went to DigiCert’s page to approve"), T(ctx, "go to DigiCert’s page to approve")
	case "ceremony.send_back":
		return T(ctx, "came back without an approval"), T(ctx, "come back with an approval")
	case "ceremony.authorize":
		return T(ctx, "entered the code"), T(ctx, "enter the code")
	case "ceremony.authorized":
		return T(ctx, "had the code accepted"), T(ctx, "have the code accepted")
	case "ceremony.use":
		return T(ctx, "used the authorization"), T(ctx, "use the authorization")
	case "ceremony.cancel":
		return T(ctx, "stopped signing"), T(ctx, "stop signing")
	case "ceremony.take_out":
		return T(ctx, "took a document out of a signing"), T(ctx, "take a document out of a signing")
	case "ceremony.expire":
		return T(ctx, "let the code run out"), T(ctx, "go on signing")
	case "ceremony.fail":
		return T(ctx, "could not go on signing"), T(ctx, "go on signing")
	case "signature.make":
		return T(ctx, "signed"), T(ctx, "sign")
	case "signature.prepare":
		return T(ctx, "prepared a signature"), T(ctx, "prepare a signature")
	case "signature.intend":
		return T(ctx, "wrote down what will be signed"), T(ctx, "write down what will be signed")
	case "signature.sign":
		return T(ctx, "signed the fingerprint at DigiCert"), T(ctx, "sign the fingerprint")
	case "signature.assemble":
		return T(ctx, "put the signature into the document"), T(ctx, "add the signature to the document")
	case "signature.release":
		return T(ctx, "released the signed document"), T(ctx, "release the signed document")
	case "signature.fail":
		return T(ctx, "could not sign"), T(ctx, "sign")
	case "signature.expire":
		return T(ctx, "let the signature run out"), T(ctx, "sign")
	case "signature.unknown":
		return T(ctx, "does not know whether it was signed"), T(ctx, "learn whether it was signed")
	case "signature.cancel":
		return T(ctx, "stopped the signature"), T(ctx, "stop the signature")
	case "signature.extend", "document.extend":
		return T(ctx, "added proof for later years"), T(ctx, "add proof for later years")
	case "document.extend-again":
		return T(ctx, "had proof for later years tried again"), T(ctx, "have proof for later years tried again")
	case "signature.again":
		return T(ctx, "had the finishing tried again"), T(ctx, "have the finishing tried again")
	case "work.again":
		return T(ctx, "had waiting work tried again"), T(ctx, "have waiting work tried again")
	case "work.settle":
		return T(ctx, "looked after waiting work"), T(ctx, "look after waiting work")
	case "work.manage":
		return T(ctx, "looked after waiting work"), T(ctx, "look after waiting work")
	case "person.bind":
		return T(ctx, "was tied to a user at DigiCert"), T(ctx, "be tied to a user at DigiCert")
	case "person.disable":
		return T(ctx, "switched the person off"), T(ctx, "switch the person off")
	case "person.enable":
		return T(ctx, "switched the person on again"), T(ctx, "switch the person on again")
	case "session.begin":
		return T(ctx, "signed in"), T(ctx, "sign in")
	case "grant.connect":
		return T(ctx, "connected a DigiCert account"), T(ctx, "connect a DigiCert account")
	case "grant.disconnect":
		return T(ctx, "disconnected a DigiCert account"), T(ctx, "disconnect a DigiCert account")
	case "grant.revoke":
		return T(ctx, "had DigiCert revoke a permission"), T(ctx, "have DigiCert revoke a permission")
	case "grant.end":
		return T(ctx, "saw DigiCert end a permission"), T(ctx, "end a permission")
	case "session.end":
		return T(ctx, "signed out"), T(ctx, "sign out")
	case "roles.read":
		return T(ctx, "read DigiCert’s roles"), T(ctx, "see DigiCert’s roles")
	case "audit.read":
		return T(ctx, "read their own log"), T(ctx, "see their own log")
	case "": // see docs/audit.md: what an old entry said may be taken away
		return T(ctx, "did what was forgotten after its time"), T(ctx, "do what was forgotten after its time")
	case "audit.check-begin":
		return T(ctx, "began to check the whole log"), T(ctx, "check the whole log")
	case "audit.check":
		return T(ctx, "checked the whole log"), T(ctx, "confirm the whole log")
	case "audit.read-any":
		return T(ctx, "read the audit log"), T(ctx, "see the audit log")
	}
	name := strings.NewReplacer(".", " ", "_", " ", "-", " ").Replace(action)
	return T(ctx, "did “{{.Action}}”", "Action", name), T(ctx, "do “{{.Action}}”", "Action", name)
}
