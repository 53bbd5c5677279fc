"""How people order: the ways of saying each acting command, as patterns. Pure."""

from __future__ import annotations

from typing import Final

_SET: Final = (
    "(set|mark|flag|put|move|switch|change|turn|update|make|transition|flip|shift|push|advance|bring|take|toggle|progress|record|"
    "treat)"
)
_WANT: Final = "(i|we) (want|need|would like|would love)"
_CHANGE: Final = (
    "(set|change|update|make|switch|move|put|turn|bump|raise|lower|drop|downgrade|upgrade|increase|decrease|reduce|"
    "reclassify|classify|rate|mark|bring|treat|adjust|correct|rank|lift|push|demote|promote|reprioritise|"
    "reprioritize|prioritise|prioritize|downgrading|fix)"
)
_GIVE: Final = "(assign|reassign|give|hand|hand over|pass|pass on|transfer|delegate|move|allocate|route)"
_TO: Final = "(to|as|:|is)"
_TAKER: Final = "[to|as|over to|:]"


_SO: Final = "(do [so|it|that]|make it so|go ahead|(set|mark|update|change) [it] [so|as such|accordingly])"


def _move(base: str, done: str, gerund: str) -> str:
    return f"""
    {base}
    {base} it
    {_SET} [status|state|it] [back|over|forward] [to|as|into|in|:] [being] {done} [status|state]
    {_SET} [status|state|it] [back] (to|as|into|in|:) {base} [status|state]
    (status|state) (to|:|as) ({done}|{base})
    to {done}
    {_WANT} [to be|to have|it|is|be|gets|gets to be] {done}
    [it] [is|has been|was] {done} (set|mark|update|change|make|record) [it] [so|as such|accordingly|like \
        that|that way]
    [it] (can|may|should|must|needs to|has to) [be|go to|move to|be set to|get] {done} {_SO}
    [it] (can|may|should|must|needs to|has to) {base} {_SO}
    (status|state) is {done} (set|mark|update|change|make|record) [it] [so]
    consider [it] {done}
    [it] (wants|needs) (to be {done}|{gerund}) {_SO}
    [it] (must|needs to|has to) be {done}
    (can|could) (i|we) (get|have) [it] {done}
    """


TABLES: Final[dict[str, str]] = {
    "ack": _move("ack", "acked", "acking")
    + """
    (i|we) [will] ack
    (i|we) am acking
    (i|we) are acking
    (ack|acking|acked) receipt
    (acked|acking) [it]
    (i|we) [have|am] (acked|acking) [it]
    ack (it|this) from me
    ack from (me|us)
    (take|record|register|log|note) ack
    ack to (stop|silence|quiet) (pager|paging|alarm|alarms|alert|alerts|ringing|pages|noise|phone|page)
    (give|send) ack
    """,
    "mitigate": _move("mitigate", "mitigated", "mitigating"),
    "resolve": _move("resolve", "resolved", "resolving"),
    "close": _move("close", "closed", "closing")
    + """
    close (out|off|down|up)
    (end|finish) (incident|it)
    """,
    "reopen": _move("reopen", "reopened", "reopening")
    + f"""
    {_SET} [status|state] [back] (to|as|into|in) [status|state] open [state|status]
    (bring|take) back to open
    reopen (up|again)
    open (up|back up|back) again
    """,
    "severity": f"""
    {_CHANGE} [up|down|over] [severity|level] [from {{sev}}] [up|down] [to be] {{into}} {{sev}} [severity|level]
    {_CHANGE} [up|down] [severity|level] (SEV|LEVEL) [severity|level]
    {_CHANGE} severity [level] [from {{sev}}] [up|down] [to|as|at|:] {{sev}}
    severity [level] [to|as|at|:] {{sev}}
    to [be] SEV
    (up|down) to SEV
    SEV (set|change|make) [it]
    SEV is
    {_CHANGE} [severity] [from] {{sev}} to {{sev}}
    [severity] (is|should be|must be|has to be|needs to be) {{sev}} (set|change|make|update|correct|fix|adjust) \
        [it] [so]
    (give|assign) severity {{sev}}
    (give|assign) SEV
    (give) {{sev}} severity
    {_WANT} [severity|it] [to be|to|as|at] (SEV|LEVEL)
    {_WANT} severity [to be|to|as|at] {{sev}}
    (set|put) severity on {{sev}}
    new severity [is|:] {{sev}}
    """,
    "assign": f"""
    {_GIVE} [over] [ownership|it] {_TAKER} {{who}}
    (assign|reassign) {{who}} [to|as assignee]
    {_GIVE} [over] [it] from PERSON to {{who}}
    (set|change|update|switch|make|put) [new] assignee {_TAKER} {{who}}
    (set|make|name|appoint|put) {{who}} [as|to be] [new] assignee
    (assign|reassign|change|set) assignee [to|as|:] {{who}}
    assignee [to|:] {{who}}
    assignee (is|should be) {{who}} (set|change|make|update) [it]
    {{who}} is [new] assignee (set|change|make|update|record) [it] [so]
    {{who}} (takes|takes over|will take|will take over|owns|has|gets) [it|over] [from (me|PERSON)] \
        (assign|reassign) [it] [to] [him|her|them|PERSON]
    (goes|go|belongs) to {{who}} (assign|reassign) [it] [to] [him|her|them]
    (assign|reassign) [it] [to] {{who}} as assignee
    assignee (goes|moves|changes) to {{who}}
    (change|switch|swap|set|move|update|transfer) assignee from PERSON to {{who}}
    assignee from PERSON to {{who}}
    (place|put) [it] (with|on) {{who}}
    (set|put) PERSON [on] [it]
    (PERSON|i) (owns|own|takes|take|takes over|take over) [it]
    (i will|i am|let me) (take|taking|own|owning|grab|grabbing) [over] [it]
    PERSON (should|will|must) (own|take|handle|have) [it] assign [it] [to] [him|her|them]
    new assignee [is|:] {{who}}
    (let|have) PERSON (take|handle|own|have) [over|it]
    {_WANT} [to be|to have] (assigned|reassigned) to {{who}}
    {_WANT} {{who}} (to be|as) [new] assignee
    (i|we) want {{who}} assigned [to]
    (get|have) [it] assigned to {{who}}
    """,
    "role": f"""
    (make|appoint|name|set|put|nominate|designate|elect|have) {{who}} [as|to be|be|in|on] [new] ROLE [role]
    (assign|set|give|make|change|switch|update|hand over|hand|pass|pass on|transfer|add|put) [over] [role] [of] \
        [new] ROLE [role] [over] [to|as|:|is] {{who}}
    (assign|set|give|add|hand) {{who}} [as|to|with|over] [role] [of] ROLE [role]
    (hand|give|pass|transfer|hand over|assign|turn) [over] command [over] [to] {{who}}
    (hand|give) {{who}} command
    (nominate|propose|choose|pick|select) {{who}} (for|as) ROLE [role]
    ROLE [role] [to|as|:] {{who}}
    role [of] ROLE [role] [to|goes to|:|as] {{who}}
    role {{who}} [as|:] ROLE
    {{who}} as ROLE
    new ROLE [is|:] {{who}}
    ROLE will be {{who}}
    ROLE (is|should be) {{who}} (set|change|make|update) [it]
    {{who}} is [new] ROLE (set|change|make|update) [it]
    me ROLE
    i am [new] ROLE (set|make|put|mark|record|note|register) [me|it] [so|down|as such|as ROLE]
    (change|switch|swap|move|transfer|hand|hand over|pass) ROLE [role] [over] from PERSON [over] to {{who}}
    ROLE [role] from PERSON to {{who}}
    (put|set|mark) {{who}} down (as|for) ROLE
    {{who}} (takes|takes over|will take|gets|has|is taking|does|will do|is doing) (ROLE|command) [role] \
        (set|record|update|make|note) [it] [so]
    ROLE (goes|go|is going|moves|passes) to {{who}}
    {{who}} to be ROLE
    swap ROLE [role] to {{who}}
    replace ROLE (with|by) {{who}}
    PERSON (is|does|is doing|runs|takes|takes over|takes over as|will be|will take|will take over as|will \
        do|acts as) [new] (ROLE|command) [role]
    ROLE is PERSON
    (let|have) PERSON (be|take|do|handle|run|act as|take over as|take over) ROLE [role]
    (let|have) PERSON take [over] command
    {_WANT} PERSON (as|to be|to act as|to take|for) ROLE [role]
    put {{who}} in as ROLE
    """,
    "role of mine": """
    i will (be|take|take on|take over|do|handle|run|act as|serve as|take over as|step in as|cover|play) ROLE [role]
    i will take [over] command
    i take [on|over|over as] (ROLE|command) [role]
    i am (taking|taking on|taking over|taking over as|becoming|stepping in as) (ROLE|command) [role]
    i want ROLE role
    (make|let) me [be|to be|as] ROLE [role]
    let me (be|take|take over|do|act as|handle|run) (ROLE|command) [role]
    (sign|put) me (up|down|in) (as|for) ROLE [role]
    i will take [over] charge
    i take [over] charge
    i am [new] ROLE
    i will (run|lead|handle|take|coordinate) [it] as ROLE
    (taking|assuming) [over] (command|charge|ROLE) [role]
    i am assuming command
    i assume (command|charge|ROLE) [role]
    i volunteer (as|for|to be) ROLE [role]
    i am taking [over] charge
    let me take [over] charge
    """,
    "wish of mine": """
    be ROLE
    (become|take|take over|take on|act as|serve as|take over as|do|handle) (ROLE|command) [role]
    take [over] charge
    """,
    "page": """
    page {whom} [again|in|up|too|out]
    (call|alert|ring|summon|phone|page out) (PERSON|PEOPLE) [again|in|up|too|out]
    (wake|wake up|call in|call up|ring up|page out) {whom} [up]
    (wake|call|ring) {whom} (up|in)
    (send) (page|pager|alert) (to) {whom}
    (have|get) {whom} (paged|alerted|called)
    (get|drag|pull|haul) {whom} (out of|from) bed
    (get|bring|pull) {whom} (online|on line|on phone|on bridge|on call|here)
    (send|fire|trigger|issue) (page|pager|alert|call) [out] (to|for) {whom}
    (give) {whom} (call|ring|buzz|page)
    (buzz|beep|ping by pager) {whom}
    (page|call) out {whom}
    (page|call|alert|wake|wake up|notify) oncall [engineer|person|responder|team] [of|for|from] [service|team] *
    (get|have) PERSON on phone
    (page|call|alert|wake|wake up|get|notify) [service] * oncall [engineer|person|responder|team|people]
    (page|call|alert|wake|wake up) (whoever|who) is oncall (of|for|from|at) [service|team] *
    """,
    "escalate": """
    escalate [further|up|it|level|one level|one level up|upwards|higher]
    escalate [it] [to|towards] {whom}
    escalate [it] [up] to next [escalation] (level|step|tier|line)
    escalate [it] [further] [up|through|via] [escalation] (chain|ladder|path|policy)
    (bring in|call in|call|get|page|alert|involve|wake|wake up|go to|move to|take to|raise to|push \
        to|trigger|notify|bring|move up to) next [escalation] (level|tier|line) [of escalation]
    (bring in|call in|call|get|page|alert|involve|go to|move to|trigger) next escalation (step|stage)
    escalate [to] [service] * oncall
    escalate [to] oncall (of|for|from) [service] *
    next [escalation] level
    (escalate|bump|bump up|kick|push|move|take|raise) [it] [up] to (secondary|backup|next oncall|second \
        (line|level|tier)|next (line|level|tier)|third (line|level|tier))
    (page|call|wake|wake up|get|alert) (secondary|backup|next oncall|second (line|level|tier))
    (kick|bump|push|move|take|raise) [it] up (level|to next level|to next escalation level)
    (trigger|start|begin|do|make|launch|run|perform|kick off|initiate) escalation
    (trigger|start|launch|run|kick off|initiate) escalation (policy|chain|path)
    (i|we) escalate
    (i|we) (want|need|would like) [to be|to have] escalated [to {whom}]
    (get|have) [it] escalated [to {whom}]
    (wake|wake up|call|page|get|bring in) next oncall
    (can|could) (i|we) (get|have) [it] escalated [to {whom}]
    """,
    "join": """
    join [in] [as AUD] [channel|room|call|bridge|response|responders|AUD|team]
    join [me] [in]
    (i|we) (join|will join|am joining)
    i am (joining|coming) [in]
    joining
    (add|invite|include|pull|bring|get|sign|count|let|put|take|enrol|enroll|enlist|have) me \
        (in|into|up|aboard|on board|join) [as AUD|in]
    (add|invite|include|join|pull|bring|let|enlist|subscribe) me [in|as AUD|as one AUD|too|list] [AUD|team|channel]
    (make|add|register|sign up|put) me [as|be|to|up as|down as|to be] AUD [list|too]
    (add|put) me to [list|AUD|team|channel|room|people]
    (i|we) (would like|want|need) (in|on board)
    (make|let) me part [of]
    i (would like|want) to be (part|in|on) [of]
    (count|deal) me in join
    (jump|hop) (in|into|aboard)
    (let|get) me (on board|aboard|inside)
    (add|put) me (to|on) [list of] (AUD|people|list)
    i want (in|to be in|into)
    be (added|part|in|on board|invited)
    (take part|participate|help out|be part of it)
    (get|let|pull|bring|take|put) me [down]
    let me (join|be part|come in|come into) [in]
    """,
    "leave": """
    leave [channel|room|call|bridge|response|AUD|team]
    (i|we) (leave|will leave|am leaving|am stepping out|am dropping out)
    i am (leaving|stepping|dropping|signing) [out|away|off]
    i am out
    leaving
    (i|we) (want|need|would like) out
    [i am] (stepping|dropping|signing|bowing) (out|off|away)
    i (quit|exit)
    (remove|drop|take|kick|delete|pull|sign|get|let|count|exclude|throw|step|strike|withdraw|unsubscribe|release|excuse) \
        me [out|off|away|as AUD] [AUD|list|of AUD|channel]
    let me (leave|out|go|off)
    (remove|drop|take|delete) me (from|off|out of) (AUD|list|channel|people|team)
    (drop|step|opt|bow|sign) (out|off|away)
    be (removed|out|off|taken off|taken out)
    """,
    "link": """
    {tie} [INTEG] [ticket|issue|case|request] {key} [to|with|here|and]
    {tie} [it] (to|with|and) [INTEG] [ticket|issue|case|request] [number|key] {key}
    {tie} [ticket|issue|case] {key} (from|in|of|on) INTEG
    {tie} [ticket] {key} INTEG [ticket]
    {tie} [it] (to|with) [ticket|issue|case] {key} (from|in|of|on) INTEG
    {key} {tie} [it]
    [it] (belongs|relates|is related|corresponds|maps|is tracked|goes|refers) (to|in|as|with) [INTEG] \
        [ticket|issue|case] {key} {tie} [them|both] [together|up]
    (make|set) {key} [linked|related] ticket
    (use|take) [INTEG] [ticket|issue|case] {key} (for|as) [ticket]
    [it] is [INTEG] [ticket|issue|case] {key} [in|on|at] [INTEG] {tie} [them|both]
    [INTEG] [ticket|issue|case] {key} [in|on|at] [INTEG] is for {tie} [them|both]
    [INTEG] ticket [of|for] is {key} {tie} [it|them|both] [up|together]
    (i|we) [also] have [INTEG] [ticket|issue|case] {key} {tie} [it|them|both]
    {tie} [and] [INTEG] [ticket|issue|case] {key} together
    [INTEG] ticket [is|:] {key} {tie} [it]
    [INTEG] ticket {key} {tie} [it]
    {make} [new] [INTEG] (ticket|issue|case|request)
    {make} [new] (ticket|issue|case|request) (in|on|at|with|to) INTEG
    {make} (in|on|to|with|at) INTEG
    {make} (it|INTEG) [in|on|to] INTEG [ticket]
    (push|send|export|copy|mirror|get|put|report|log|file|record|submit|add|enter) [it] (to|into|in|over to|on) INTEG
    (track) [it] (in|with) INTEG
    {tie} [it] (to|with) INTEG
    (get|give) [me|us] [new] [INTEG] ticket
    (get|give) [me|us] [new] ticket (in|on) INTEG
    {make} [new] [INTEG] (ticket|issue|case) out
    (i|we) (want|need|would like) [new] INTEG (ticket|issue|case)
    [INTEG] [ticket|issue|case] {key} (belongs|relates|is related|is ticket|is issue) {tie}
    [new] [INTEG] ticket (in|on|with) INTEG
    new [INTEG] ticket
    """.replace(
        "{tie}",
        "(link|attach|connect|associate|tie|bind|hook up|couple|relate|add|map|connect up|link up|pin|hook)",
    )
    .replace("{make}", "(create|open|file|make|raise|log|add|cut|generate|start)")
    .replace("{key}", "(TICKET|URL)"),
}
