package signing

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
