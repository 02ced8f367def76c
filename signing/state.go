package signing

import "slices"

// DocumentState is where a document stands.
type DocumentState string

// The states of a document.
const (
	DocumentReceiving   DocumentState = "receiving"
	DocumentChecking    DocumentState = "checking"
	DocumentReady       DocumentState = "ready"
	DocumentRefused     DocumentState = "refused"
	DocumentQuarantined DocumentState = "quarantined"
	DocumentErased      DocumentState = "erased"
)

// CeremonyState is where an authorization stands.
type CeremonyState string

// The states of a ceremony.
const (
	CeremonyPrepared    CeremonyState = "prepared"
	CeremonyCodeSent    CeremonyState = "code_sent"
	CeremonyConsenting  CeremonyState = "consenting" // the person was sent to the provider's page
	CeremonyAuthorizing CeremonyState = "authorizing"
	CeremonyAuthorized  CeremonyState = "authorized"
	CeremonyUsed        CeremonyState = "used"
	CeremonyExpired     CeremonyState = "expired"
	CeremonyFailed      CeremonyState = "failed"
	CeremonyCancelled   CeremonyState = "cancelled"
)

// SignatureState is where one signature stands.
type SignatureState string

// The states of a signature.
const (
	SignaturePrepared       SignatureState = "prepared"
	SignatureIntended       SignatureState = "intended"
	SignatureSigned         SignatureState = "signed"
	SignatureAssembled      SignatureState = "assembled"
	SignatureReleased       SignatureState = "released"
	SignatureOutcomeUnknown SignatureState = "outcome_unknown"
	SignatureFailed         SignatureState = "failed"
	SignatureExpired        SignatureState = "expired"
	SignatureCancelled      SignatureState = "cancelled"
)

// Open reports whether a signature holds its document: one at a time does.
func (s SignatureState) Open() bool {
	switch s {
	case SignaturePrepared, SignatureIntended, SignatureSigned, SignatureAssembled:
		return true
	}
	return false
}

// The edges. A state that leads to itself is changed without moving: an upload that
// grows, a document whose revisions grow, a document taken out of a ceremony, a code that is
// sent again, a person who is sent to the provider again, the next part of many documents, a signature that is tried again. The empty state stands for "no row yet".
var (
	documentEdges = map[DocumentState][]DocumentState{
		"":                  {DocumentReceiving},
		DocumentReceiving:   {DocumentReceiving, DocumentChecking},
		DocumentChecking:    {DocumentReady, DocumentRefused, DocumentQuarantined},
		DocumentReady:       {DocumentReady, DocumentQuarantined, DocumentErased},
		DocumentRefused:     {DocumentErased},
		DocumentQuarantined: {DocumentErased},
		DocumentErased:      {},
	}
	// From authorizing a wrong code, an approval that did not come or a call that was
	// never made leads back; authorized, where the hashes may have left, never does.
	ceremonyEdges = map[CeremonyState][]CeremonyState{
		"":                  {CeremonyPrepared},
		CeremonyPrepared:    {CeremonyPrepared, CeremonyCodeSent, CeremonyConsenting, CeremonyAuthorizing, CeremonyExpired, CeremonyFailed, CeremonyCancelled},
		CeremonyCodeSent:    {CeremonyPrepared, CeremonyCodeSent, CeremonyAuthorizing, CeremonyExpired, CeremonyFailed, CeremonyCancelled},
		CeremonyConsenting:  {CeremonyPrepared, CeremonyConsenting, CeremonyAuthorizing, CeremonyExpired, CeremonyFailed, CeremonyCancelled},
		CeremonyAuthorizing: {CeremonyPrepared, CeremonyCodeSent, CeremonyAuthorized, CeremonyFailed},
		CeremonyAuthorized:  {CeremonyAuthorized, CeremonyUsed, CeremonyFailed},
		CeremonyUsed:        {},
		CeremonyExpired:     {},
		CeremonyFailed:      {},
		CeremonyCancelled:   {},
	}
	signatureEdges = map[SignatureState][]SignatureState{
		"":                      {SignaturePrepared},
		SignaturePrepared:       {SignatureIntended, SignatureFailed, SignatureExpired, SignatureCancelled},
		SignatureIntended:       {SignatureSigned, SignatureFailed, SignatureOutcomeUnknown},
		SignatureSigned:         {SignatureSigned, SignatureAssembled, SignatureFailed},
		SignatureAssembled:      {SignatureAssembled, SignatureReleased, SignatureFailed},
		SignatureReleased:       {},
		SignatureOutcomeUnknown: {},
		SignatureFailed:         {},
		SignatureExpired:        {},
		SignatureCancelled:      {},
	}
)

// CanMoveDocument reports whether a document may go from one state to the other.
func CanMoveDocument(from, to DocumentState) bool { return slices.Contains(documentEdges[from], to) }

// CanMoveCeremony reports whether a ceremony may go from one state to the other.
func CanMoveCeremony(from, to CeremonyState) bool { return slices.Contains(ceremonyEdges[from], to) }

// CanMoveSignature reports whether a signature may go from one state to the other.
func CanMoveSignature(from, to SignatureState) bool {
	return slices.Contains(signatureEdges[from], to)
}

// Final reports whether the document moves no more.
func (s DocumentState) Final() bool { return s == DocumentErased }

// Final reports whether the ceremony moves no more.
func (s CeremonyState) Final() bool { return len(ceremonyEdges[s]) == 0 }

// Final reports whether the signature moves no more.
func (s SignatureState) Final() bool { return len(signatureEdges[s]) == 0 }

// Sent reports whether hashes may have reached the remote key and the work is not over: a
// document cannot be erased then.
func (s SignatureState) Sent() bool {
	return s == SignatureIntended || s == SignatureSigned || s == SignatureAssembled
}
