package dtmsim

import (
	"cmp"
	"fmt"
	"net/http"
	"time"
)

// Rehearsal is trouble with a name: what happens, and what a client that signs for people
// should do about it. The words are for whoever rehearses at the switchboard.
type Rehearsal struct {
	Key   string `json:"key"`
	Group string `json:"group"`
	Title string `json:"title"`
	Does  string `json:"does"`
	Then  string `json:"then"` // what Countersign does
	N     int    `json:"n"`    // uses, unless told otherwise; UntilCleared

	Faults []Fault `json:"faults"`
}

// The groups, in the order of the page.
const (
	groupClock      = "The clock service"
	groupCode       = "The code and the phone"
	groupSignature  = "The signature"
	groupCredential = "The credential"
	groupStatus     = "What issuers say of certificates"
	groupCheck      = "Identity checks and mail"
	groupService    = "The whole service"
)

// Both addresses at which a clock service is asked.
func atClocks(f Fault) []Fault {
	a, b := f, f
	a.Path, b.Path = "signatures/timestamp", "tsa"
	return []Fault{a, b}
}

func one(f Fault) []Fault { return []Fault{f} }

const (
	beginAgain = "Nothing false is put into the document. The page says what happened and that an admin has to look at it; the person can begin again."
	notKnown   = "The outcome is told as not known: on its page, by mail, and to admins. The key is never asked a second time by itself; the person can begin again."
	clockWaits = "The signature is not given out with such a time. It waits, says so on its page, and is finished by itself once the time is right."
)

var rehearsals = []Rehearsal{
	{"clock-down", groupClock, "The clock service is down", "Whoever asks for a timestamp is answered 503.",
		"Before a code is spent, the page says that the clock does not answer, and asks again by itself. A signature that is made already waits, says so, and is finished by itself once the clock is back; the key is not asked again.",
		UntilCleared, atClocks(Fault{Status: http.StatusServiceUnavailable, ContentType: "text/plain", Body: "The clock service is down.\n"})},
	{"clock-off", groupClock, "Its clock is two hours off", "Timestamps carry a time that is two hours late.", clockWaits,
		UntilCleared, atClocks(Fault{Effect: EffectClock, Shift: Duration(-2 * time.Hour)})},
	{"clock-spoiled", groupClock, "A timestamp does not hold", "One bit of the signature in the timestamp is wrong.",
		"Such a timestamp is thrown away and another one is asked for. No file is given out with it.",
		1, atClocks(Fault{Effect: EffectSpoiled})},
	{"clock-other", groupClock, "A timestamp for something else", "The timestamp is over another hash than the one that was sent.",
		"Such a timestamp is thrown away and another one is asked for. No file is given out with it.",
		1, atClocks(Fault{Effect: EffectOtherHash})},

	{"code-lost", groupCode, "The code is lost on its way", "The service says that a code was sent, and none arrives.",
		"The person can have another one sent after half a minute. Nothing was signed.",
		1, one(Fault{Path: "credentials/sendOTP", Effect: EffectLost})},
	{"code-late", groupCode, "The code comes a minute late", "The code arrives on the phone after a minute.",
		"The page waits, and takes the code when it is there; it works for five minutes.",
		1, one(Fault{Path: "credentials/sendOTP", Effect: EffectLate, Shift: Duration(time.Minute)})},
	{"phone-slow", groupCode, "The phone is slow", "The approval takes twenty seconds longer.",
		"The page says what is being waited for. It can be left and opened again, and the approval is handed over once.",
		1, one(Fault{Path: "credentials/authorize", Delay: Duration(20 * time.Second)})},
	{"phone-silent", groupCode, "Nobody approves in time", "The approval is answered 504, as after a minute in which nobody touched the phone.",
		"Nothing was signed, and the page says so. The person can try again.",
		1, one(Fault{Path: "credentials/authorize", Status: http.StatusGatewayTimeout, ContentType: "text/html", Body: "<html><h1>504 Gateway Time-out</h1></html>\n"})},
	{"approval-lost", groupCode, "The answer to the approval is lost", "The approval is taken, and the connection breaks before the answer.",
		"Nothing was signed, for without the answer nothing can be. The code is spent, and a new one is asked for.",
		1, one(Fault{Path: "credentials/authorize", After: true, Drop: true})},
	{"approval-over", groupCode, "The approval runs out", "The approval has run out when the signature is asked for.",
		"Nothing was signed, and the page says that the approval ran out before it could be used.",
		1, one(Fault{Path: "signatures/signHash", Effect: EffectSADExpired})},

	{"signature-lost", groupSignature, "A signature is lost on its way", "The key signs, and the connection breaks before the answer.", notKnown,
		1, one(Fault{Path: "signatures/signHash", After: true, Drop: true})},
	{"signature-unasked", groupSignature, "The request to sign is lost", "The connection breaks before the key is used.",
		"From outside this looks the same as a lost signature, so it is told the same way: as not known. The ledger knows that nothing was signed.",
		1, one(Fault{Path: "signatures/signHash", Drop: true})},
	{"signature-torn", groupSignature, "The connection breaks in the middle", "The key signs, and 40 bytes of the answer arrive.", notKnown,
		1, one(Fault{Path: "signatures/signHash", Reset: 40})},
	{"signature-drip", groupSignature, "The signature comes drop by drop", "The answer arrives with 60 bytes a second.",
		"The page waits, and the signature is taken as always.",
		1, one(Fault{Path: "signatures/signHash", Drip: 60})},
	{"signature-bit", groupSignature, "One bit of the signature is wrong", "The key signs, and the answer carries another value.", beginAgain,
		1, one(Fault{Path: "signatures/signHash", Effect: EffectBitFlipped})},
	{"signature-key", groupSignature, "Another key has signed", "The signature is made by a key that does not belong to the certificate.", beginAgain,
		1, one(Fault{Path: "signatures/signHash", Effect: EffectOtherKey})},
	{"signature-order", groupSignature, "Signatures come in another order", "With several documents, their signatures come in reverse.",
		"Each value is held against its own document, so none of those that were swapped is taken.",
		1, one(Fault{Path: "signatures/signHash", Effect: EffectOtherOrder})},
	{"signature-few", groupSignature, "One signature is missing", "The answer has one signature less than was asked for.", beginAgain,
		1, one(Fault{Path: "signatures/signHash", Effect: EffectOneTooFew})},
	{"signature-many", groupSignature, "One signature too many", "The answer has one signature more than was asked for.", beginAgain,
		1, one(Fault{Path: "signatures/signHash", Effect: EffectOneTooMany})},

	{"credential-revoked", groupCredential, "Revoked between approval and signature", "Right after the approval the credential is revoked, for good.",
		"The credential is read once more before the key is asked, so nothing is signed. An admin can have a new one issued.",
		1, one(Fault{Path: "credentials/authorize", After: true, Effect: EffectRevoked})},
	{"credential-held", groupCredential, "Suspended between approval and signature", "Right after the approval the credential is suspended. It can be resumed.",
		"The credential is read once more before the key is asked, so nothing is signed.",
		1, one(Fault{Path: "credentials/authorize", After: true, Effect: EffectSuspended})},
	{"credential-late", groupCredential, "Revoked at the last moment", "The credential is revoked when the request to sign arrives.",
		"The service refuses, nothing is signed, and the page says so.",
		1, one(Fault{Path: "signatures/signHash", Effect: EffectRevoked})},

	{"status-down", groupStatus, "Nobody tells what is revoked", "OCSP and revocation lists are answered 503.",
		"The check before signing says “not checked”, and the person may sign, unless it is configured otherwise. A signed file can be had at once; its proof for later years waits and is added by itself.",
		UntilCleared, []Fault{{Path: "ocsp", Status: http.StatusServiceUnavailable}, {Path: "crl/*", Status: http.StatusServiceUnavailable}}},
	{"status-later", groupStatus, "OCSP says: later", "OCSP answers “try later”.",
		"The revocation list is asked in its place, or it is asked again later.",
		UntilCleared, one(Fault{Path: "ocsp", Effect: EffectTryLater})},
	{"status-old", groupStatus, "Answers are too old", "OCSP answers and lists are from yesterday, and over.",
		"They prove nothing about today, so they count as no answer.",
		UntilCleared, []Fault{{Path: "ocsp", Effect: EffectStale}, {Path: "crl/*", Effect: EffectStale}}},
	{"status-spoiled", groupStatus, "Answers do not hold", "One bit of the signature of OCSP answers and lists is wrong.",
		"They count as no answer, and none of them gets into a file.",
		UntilCleared, []Fault{{Path: "ocsp", Effect: EffectSpoiled}, {Path: "crl/*", Effect: EffectSpoiled}}},
	{"status-revoked", groupStatus, "OCSP calls a certificate revoked", "OCSP says that certificates are revoked, though they are not.",
		"Nothing is signed with such a credential, and no code is spent on it.",
		UntilCleared, one(Fault{Path: "ocsp", Effect: EffectSaysRevoked})},

	{"approve-lost", groupCheck, "The answer to an approval is lost", "An admin approves an identity check; it is approved, and the answer is lost.",
		"It is not approved a second time, since each takes a seat for good. The service is looked at until what happened is known.",
		1, one(Fault{Path: "validation/*/approve", After: true, Drop: true})},
	{"issue-lost", groupCheck, "The answer to an issuance is lost", "A credential is made, and the answer is lost.",
		"It is found by the name that was chosen for it. No second one is made.",
		1, one(Fault{Method: http.MethodPost, Path: "credential", After: true, Drop: true})},
	{"mail-lost", groupCheck, "A mail is lost", "The next mail, whoever sends it, does not arrive.",
		"What Countersign mails stands on a page too. When the mail with the link of an identity check is lost, the check can be withdrawn and begun again.",
		1, one(Fault{Path: PathMail, Effect: EffectLost})},
	{"mail-late", groupCheck, "Mail is ten minutes late", "Mails arrive after ten minutes.",
		"What Countersign mails stands on a page too, and a link works whenever it comes.",
		UntilCleared, one(Fault{Path: PathMail, Effect: EffectLate, Shift: Duration(10 * time.Minute)})},

	{"all-down", groupService, "Nothing answers", "Every call is answered 503, clock and certificates included.",
		"Reading, downloading and verifying go on. What needs the service says so, and what waits goes on by itself afterwards.",
		UntilCleared, one(Fault{Path: "*", Status: http.StatusServiceUnavailable, ContentType: "text/plain", Body: "down\n", Header: map[string]string{"Retry-After": "2"}})},
	{"all-slow", groupService, "Everything is slow", "Every call takes a second longer on average, some much longer.",
		"Pages that do not need the service are as quick as ever. Those that do say what they wait for.",
		UntilCleared, one(Fault{Path: "*", Delay: Duration(200 * time.Millisecond), Spread: Duration(800 * time.Millisecond)})},
	{"all-busy", groupService, "Too many requests", "The next five calls are answered 429.",
		"Looking is tried again, no sooner than the service asks for. What must not be done twice is not repeated by itself.",
		5, one(Fault{Path: "*", Status: http.StatusTooManyRequests, Header: map[string]string{"Retry-After": "2"}, Body: `{"error":"temporarily_unavailable","error_description":"Too many requests"}`})},
	{"all-page", groupService, "A page where data should be", "The next five calls are answered with a sign-in page and 200.",
		"No such answer is taken for a good one.",
		5, one(Fault{Path: "*", ContentType: "text/html", Body: "<!doctype html><title>Sign in</title><h1>Sign in</h1>\n"})},
	{"all-date", groupService, "The service’s clock is ten minutes off", "The Date of every answer is ten minutes late.",
		"Before a code is spent, the page says that the clocks are far apart.",
		UntilCleared, one(Fault{Path: "*", Effect: EffectDate, Shift: Duration(-10 * time.Minute)})},
}

// Rehearsals are all that can be rehearsed by name.
func Rehearsals() []Rehearsal { return append([]Rehearsal(nil), rehearsals...) }

func rehearsal(key string) *Rehearsal {
	for i := range rehearsals {
		if rehearsals[i].Key == key {
			return &rehearsals[i]
		}
	}
	return nil
}

// Rehearse switches a rehearsal on, afresh when it is on already: for n uses, its own number
// when n is 0, or UntilCleared; for one credential, person or mail address when who is not empty.
func (s *Sim) Rehearse(key string, n int, who string) error {
	r := rehearsal(key)
	if r == nil {
		return fmt.Errorf("there is no rehearsal %q", key)
	}
	s.ClearFault(key)
	for i, f := range r.Faults {
		f.ID, f.Name, f.Rehearsal, f.For = fmt.Sprintf("%s-%d", key, i+1), r.Title, key, who
		f.N = cmp.Or(n, r.N)
		if _, err := s.script(f); err != nil {
			return err
		}
	}
	return nil
}

// rehearsed is how a rehearsal stands.
type rehearsed struct {
	Rehearsal
	On   bool `json:"on"`
	Left int  `json:"left"` // of the uses; UntilCleared
	Hits int  `json:"hits"`
}

func (s *Sim) rehearsals() []rehearsed {
	out := make([]rehearsed, len(rehearsals))
	for i, r := range rehearsals {
		out[i].Rehearsal = r
		for _, f := range s.faults {
			if f.Rehearsal != r.Key {
				continue
			}
			out[i].Hits += f.Hits
			if f.live() {
				out[i].On, out[i].Left = true, f.N
			}
		}
	}
	return out
}
