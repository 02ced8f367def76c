package people

import "slices"

// Action is something a person may ask of the portal. The table below is the only
// place that ties actions to roles; whose object it is, and whether somebody would
// decide about themselves, is for the service that owns the object.
type Action string

// The actions on identity checks and credentials.
const (
	StartCheck           Action = "validation.start"
	CancelOwnCheck       Action = "validation.cancel"
	ReadOwnChecks        Action = "validation.read"
	ReadAnyCheck         Action = "validation.read-any"
	ReviewChecks         Action = "validation.review" // the queue, and to approve, refuse, ask for correction
	IssueCredential      Action = "credential.issue"
	ReadOwnCredentials   Action = "credential.read"
	ReadAnyCredential    Action = "credential.read-any"
	ManageOwnCredentials Action = "credential.manage"     // suspend, resume, revoke one's own
	ManageCredentials    Action = "credential.manage-any" // suspend, resume, revoke anybody's
)

// The actions on documents and signatures. There is no action that reads somebody
// else's document: no role may.
const (
	UploadDocument   Action = "document.upload"
	ReadOwnDocuments Action = "document.read"
	EraseDocument    Action = "document.erase"
	Sign             Action = "signature.make"
)

// The actions on the portal itself.
const (
	ReadOwnAudit Action = "audit.read"
	ReadAudit    Action = "audit.read-any"
	ReadRoles    Action = "roles.read"
	ReadPeople   Action = "people.read"
	ManagePeople Action = "people.manage" // disable and enable a person
	ReadHealth   Action = "portal.health" // stuck work, queue lengths, the reach of DTM
	ManageWork   Action = "work.manage"   // have stuck work tried again, or say that it was looked after
)

var mayDo = map[Action][]Role{
	StartCheck:           {Signer},
	CancelOwnCheck:       {Signer, Admin, Auditor},
	ReadOwnChecks:        {Signer, Admin, Auditor},
	ReadAnyCheck:         {Admin, Auditor},
	ReviewChecks:         {Admin},
	IssueCredential:      {Admin},
	ReadOwnCredentials:   {Signer, Admin, Auditor},
	ReadAnyCredential:    {Admin, Auditor},
	ManageOwnCredentials: {Signer, Admin, Auditor},
	ManageCredentials:    {Admin},

	UploadDocument:   {Signer},
	ReadOwnDocuments: {Signer, Admin, Auditor},
	EraseDocument:    {Signer, Admin, Auditor},
	Sign:             {Signer},

	ReadOwnAudit: {Signer, Admin, Auditor},
	ReadAudit:    {Admin, Auditor},
	ReadRoles:    {Admin, Auditor},
	ReadPeople:   {Admin, Auditor},
	ManagePeople: {Admin},
	ReadHealth:   {Admin, Auditor},
	ManageWork:   {Admin},
}

// May reports whether the actor's roles allow the action. An action that is not in
// the table is allowed to nobody, and the portal itself (Actor.System) is never
// asked: its jobs call methods that take no actor.
func May(a Actor, do Action) bool {
	return a.Person != "" && a.HasAny(mayDo[do]...)
}

// RolesFor lists the roles that allow the action, for the page that explains roles
// and for the route table. The slice is the caller's own.
func RolesFor(do Action) []Role { return slices.Clone(mayDo[do]) }
