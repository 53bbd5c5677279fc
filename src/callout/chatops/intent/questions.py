"""How people ask: the questions that each telling command answers, as patterns. Pure."""

from __future__ import annotations

from typing import Final

from callout.chatops.intent.patterns import SEEN, any_of, found_in

DONE: Final = "(acked|mitigated|resolved|closed|reopened|escalated|declared|assigned|paged|linked|renamed)"
STILL: Final = "[still|already|now|really|fully|actually|yet|even|ever|currently|not|any|finally|properly]"
SHOW: Final = "(show|give|tell|list|display|print|get|see|view|find|bring|read)"
ORDERS: Final = frozenset(
    {"declare", "ack", "mitigate", "resolve", "close", "reopen", "escalate", "assign", "reassign", "rename"}
)

HELP: Final = any_of(
    f"""
    help [me] [out]
    [{SHOW}] [me|us] help
    (what|which|how many) [all|else|other] (can|could|do|may) (i|you|we|one) (do|ask|say|type|tell \
        you|understand|know|help with|help me with|offer|support|ask you|use) [for me|for us|here|with you|to you]
    (what|which) [are] [all|available|possible|your|other] (commands|command|options|features|abilities) \
        [do|are|can|could] [you|i|we|there] [know|have|understand|support|use|available|exist|offer|accept]
    [{SHOW}] [me|us] [all|list of|list] [available|possible|your] (commands|command|options) [list|available]
    list of [all|available|possible|your] commands
    list [all|available|possible|your] commands
    (what|which) [are] your (commands|options|features)
    (i|we) do not (know|understand|get) [how|what] [to] [use|talk to|work with|ask|do with] [you|this|it]
    how [do|does|can|should|to] [i|you|we|one|this|it] (use|work|talk to|command|operate|control) \
        [you|this|it|with you|here]
    how to use [you|this|it]
    (what|who) are you [for]
    what do you do
    what you can do
    what are you able to do
    what is possible [here]
    (tutorial|guide)
    what does (callout|you) do
    what can callout do
    how does (callout|this|it) work
    (tell|show) me what you can do
    (usage|manual|man|commands|instructions|documentation|docs|options)
    [i|we] (need|want|could use|would like) [some] help
    i am (lost|stuck|new here|new)
    (teach|explain) [me|us] [how] [to] [use|you] [you|this|it] [work|works]
    what is this
    explain yourself
    what are my options
    (can|could) (i|we) (get|have) [some] help
    """
)
HELP_START: Final = found_in(
    """
    i do not know how to use you
    do not know how to use
    how do (i|you|we) use you
    what can you do
    which commands
    what commands
    list of commands
    """
)
HELP_LEADS: Final = any_of(
    f"""
    help [me|us] (with|on|about|for|using|:)
    [{SHOW}] [me|us] (help|usage|syntax|manual|instructions) (for|of|on|about|with|:)
    help [me|us] [to]
    (usage|manual|man|syntax|docs|documentation) [of|for]
    what is (syntax|usage|format|command) (of|for|to)
    [help] [me|us] how (do|can|could|would|should|does|must) (i|you|we|one|somebody|people|anybody) [actually]
    how to
    how (does|do|is) [command]
    what (does|is) [command]
    (explain|describe) [me|us] [command] [how] [to] [i]
    [{SHOW}] (me|us) how (to|i|we|can i|do i|i can)
    what is [command] [for]
    what is (syntax|usage|format|command) (of|for|to)
    (i|we) (need|want|would like) help (with|on|about|for)
    (can|could) (i|we) (get|have) [some] help (with|on|about|for)
    commands (for|about)
    """
)
HELP_ENDS: Final = frozenset(
    {"work", "works", "mean", "means", "do", "does", "for", "command", "used", "help"}
)

TOPICS: Final = {
    "escalation": "escalate",
    "escalations": "escalate",
    "declaration": "declare",
    "mitigation": "mitigate",
    "assignment": "assign",
    "synchronisation": "sync",
    "notes": "note",
    "tasks": "task",
    "paging": "page",
    "roles": "role",
    "linking": "link",
    "tickets": "link",
    "severities": "severity",
    "titles": "title",
    "changed": "changes",
    "history": "timeline",
    "incidents": "list",
    "retitle": "title",
}

WHY: Final = any_of(
    """
    why
    how come
    (where|what) (does|did|do|is)
    for what reason
    what is reason
    reason (for|of|why)
    what (made|set|changed|caused|decided)
    who [or what] \
        (set|changed|decided|made|gave|chose|picked|put|wrote|edited|raised|lowered|named|renamed|assigned|touched)
    who or what
    how did
    [can|could|please] explain [me|us] [why]
    (show|tell) [me|us] (why|origin|source|where|reason)
    (origin|source|provenance) of
    where
    what is (origin|source)
    because of what
    since when and why
    (which|what) (system|rule|person|one|side|integration) (set|changed|decided|gave|wrote)
    """
)
FIELD_WORDS: Final = {
    "severity": "severity",
    "severities": "severity",
    "SEV": "severity",
    "LEVEL": "severity",
    "status": "status",
    "state": "status",
    "open": "status",
    "acked": "status",
    "mitigated": "status",
    "resolved": "status",
    "closed": "status",
    "reopened": "status",
    "title": "title",
    "name": "title",
    "named": "title",
    "called": "title",
    "renamed": "title",
    "assignee": "assignee",
    "assigned": "assignee",
    "reassigned": "assignee",
    "service": "service",
}
DIRECT: Final = frozenset(
    {"severity", "severities", "status", "state", "title", "name", "assignee", "service"}
)

WHO: Final = found_in(
    f"""
    who
    whoever
    whose
    [to] whom
    (does|do|has|have|is|are) [(we|it|there)] [have|got] [already|yet|still|any] (ROLE|anybody|somebody|nobody|no one)
    (does|do|has|have|is|are) [(we|it|there)] [have|got] [already|yet|any] (AUD|assignee)
    [{SHOW}] [me|us] [all] (people|AUD|members|participants|team|roster|crew|responder) [list|involved|working]
    (list|names|name) [of] [all] (people|AUD|members|participants|team|everyone|everybody)
    (people|members|participants|roster|crew)
    (anybody|somebody|everybody|everyone) (on|in|at|working|looking|here|involved)
    (which|what|how many) (people|AUD|members|engineers)
    (what|which) (person|engineer|member)
    (is|was) [it] assigned to (anybody|somebody|whom|anyone)
    [name|which is|what is] ROLE
    """
)
ON_CALL: Final = found_in("oncall")

CHANGES: Final = found_in(
    f"""
    what [all|else|things] [has|have|is|are|was|were|did|do] [been] [we|you|they|anybody|somebody] [been] \
        (changed|change|changes|new|different|modified|updated|altered) [since]
    (changed|changes)
    [{SHOW}] [me|us] (changes|changed|modifications|recent)
    (any|anything|something) (changes|changed|new|different|change|modifications)
    (recent|latest) (changes|modifications|edits)
    what did (i|we) miss
    (did|has|have) (anything|something) [been] (change|changed)
    (which|what) things changed
    who changed what
    what is new
    (changelog|change log)
    diff
    """
)
HAPPENED: Final = found_in(
    "(happened|happening|happen) | what (went on|has gone on|was going on|was done|have we done|did we do|has been done|was said)"
)

TIMELINE: Final = found_in(
    """
    timeline
    history
    chronology
    chronicle
    (event|events|incident|activity|audit) log
    (log|events|activity|story|logbook|journal|sequence|course) of
    (log|events|activity|story|logbook|journal|entries)
    recap
    (walk|take|run|talk) (me|us) through
    (catch) (me|us) up
    what [all] [has|have|is|was|had] happened
    what happened
    (everything|all) [that] [has] happened
    play by play
    step by step
    unfold
    how did (we|it|this) get [here]
    what [all] (has|have) been going on
    what [all] (was|has been) done
    when did what happen
    (went on|has been done|was done so far|have we done|did we do)
    from (beginning|start)
    (trail|minutes|protocol|replay) [of]
    how did [it] (start|begin|develop|come about|evolve)
    unfolded
    """
)
SYNC: Final = found_in(
    f"""
    sync
    synced
    syncing
    resync
    synchronisation
    synchronised
    synchronized
    (conflict|conflicts|conflicting)
    in step
    tickets
    ticket (status|state|situation)
    (status|state|standing|condition) of ticket
    (is|are) (INTEG|ticket|INTEG ticket) (up to date|current|same|in line|behind|outdated)
    (is|are) (up to date|in line|outdated)
    (is|are) [all] [other] (tools|systems|tickets) [all] (up to date|in line|outdated|in step|current)
    (did|has|have) [my|our|last|latest|change|changes|update|updates] [last|latest] \
        (change|changes|update|updates|note|comment|status|it) \
        (make|made|get|got|gotten|go|gone|arrive|arrived|reach|reached|come|came) [through|over] [to|in|into|at] \
        INTEG
    INTEG (status|state|situation)
    (does|do) [ticket|INTEG] [ticket] (match|agree|differ)
    (which|what) [INTEG] ticket
    [{SHOW}] [me|us] [INTEG] ticket
    """
)
TICKETS_NOT: Final = found_in("(support|train|plane|concert|door|parking)")
STATUS: Final = found_in(
    f"""
    (status|state|situation|standing|eta|progress|details|summary|overview)
    (info|information|card|briefing|brief)
    how is [it|that|this|everything] [all] [going|doing|looking|coming|standing|progressing|currently]
    how (are|do) (we|things|it) [doing|looking|going|stand]
    how (far|bad|severe|serious|urgent|old|long|critical) (is|are|has)
    how goes
    how does [it|this|that] (look|stand|go)
    how do things (look|stand|go)
    what is [the] (up|going on|happening|latest|last|story|deal|news|with)
    what is [it] [about]
    what about
    any (news|update|updates|progress|word|development|developments)
    (news|update|updates) [of]
    (tell|brief|update|fill|inform) (me|us) [more|in] [about|of|on]
    where (are|do) (we|things) [stand|at]
    where does [it|this|that] stand
    (is|was|are|has) [it|this|that|anybody|somebody|anyone] {STILL} [been] {STILL} \
        ({DONE}|open|ongoing|over|done|active|finished|SEV|LEVEL|live|running|gone|solved|handled|burning|thing|problem|issue|under \
        control|stable|better|fine|alive|up|back)
    (did|has|have) (anybody|somebody|you|we|they|someone|anyone) {STILL} \
        (ack|mitigate|resolve|close|reopen|escalate|declare|{DONE})
    (did|does) [it|this] get {DONE}
    (what|which) [is|has|are] [current|its|his] (severity|level|service|title|status|state|priority)
    (how|what) (severity|level|status|state)
    [(since)] when (was|did|is|were)
    (still) (open|ongoing|SEV|active)
    are we done
    tldr
    tl
    is (anything|something) (happening|moving|going on)
    what (do|does) (we|you|one) know
    where is
    pull up
    (anything|something) new
    (check|look up|describe|summarise|sum up) [on]
    speed
    (tell|let) (me|us) (if|whether|know if|know whether) [it]
    (check|wonder|wondering) (if|whether) [it]
    """
)
ONLY_SHOW: Final = any_of(
    f"""
    [(can|may|could) (i|we)] {SHOW} [me|us]
    (check|look at|look up|describe|summarise) [me|us]
    about
    tell me about
    let (me|us) (see|have [a] look at)
    what (is|was)
    """
)
LIST: Final = found_in(
    f"""
    incidents
    (incident|inc) (list|overview)
    (is|are) there [any|another] (incident|incidents)
    (is|are) (any|another) (incident|incidents) (open|active|ongoing|running)
    [{SHOW}] [me|us] [all] (open|active|ongoing|current) ones
    what [all|else] (is|are) [currently|still|all] (open|active|ongoing|burning|on \
        fire|broken|down|unresolved|live|running)
    (anything|something|everything) [that|is] [currently|still] (open|active|ongoing|burning|on \
        fire|broken|down|unresolved)
    (is|are) (anything|something|there anything) [currently|still] (open|active|ongoing|burning|on \
        fire|broken|down|unresolved)
    (what|which|anything|everything|things|stuff|ones) [am i|is|are|do i|have i|i am|i have|i] [still|currently] \
        [have] (assigned|own|owning) [to] [me|i]
    (list|show) [me|us] [all] (open|active|ongoing|current|mine|unresolved|running)
    (what|which) [ones] (am i|do i) (assigned|own|on|responsible|have|working on|handling)
    assigned to me
    [what is] (on) my (plate|list|desk|queue|name)
    (mine)
    how many [are] [still] (open|active|ongoing)
    (show|give|list) [me|us] [all] (list|open ones|ones)
    (list|show) [me|us] [all|for|on|of] [service] (PERIOD|service)
    (what|which) (SEV|LEVEL)
    what (do|have) (we|i) [have] open
    (any|open|active|ongoing|all|how many) (SEV|LEVEL) [incidents|open|ongoing|active|ones]
    (show|list) [me|us] (SEV|LEVEL)
    [{SHOW}] [me|us] [all|of] (acked|mitigated|resolved|closed|unacked|unacknowledged) (ones|incidents)
    (is|are) (anything|something|there anything|any) [still] (not acked|unacked|unacknowledged|not resolved|not \
        closed|mitigated)
    (what|which) [ones] (is|are) [still] (not acked|unacked|unacknowledged|mitigated)
    [{SHOW}] [me|us] (everything|all|anything) assigned to (me|i)
    (what|which) [is|are] [all] on (fire|hook)
    on hook for
    """
)
LIST_ALONE: Final = any_of(
    "(list|ls) [all] [them|ones] | (list|overview|all) [of] incidents | incident (list|overview)"
)
OPEN_WORDS: Final = frozenset(
    {
        "open",
        "active",
        "ongoing",
        "current",
        "currently",
        "unresolved",
        "running",
        "live",
        "burning",
        "fire",
        "broken",
        "unclosed",
        "outstanding",
        "happening",
    }
)
MINE: Final = found_in("(mine|my|assigned to me|am i|do i|have i|i am|i own|i have|assigned to i|me)")
NO_CHAT: Final = found_in(
    """
    status quo
    status page
    side note
    let us
    why not
    """
)
OPINION: Final = found_in(
    "(i guess|i think|i suppose|i believe|i hope|i love|i like|i hate|i wish|in my eyes|was a|would you say|do you think)"
)
REFUSED: Final = found_in(
    "(do not|never|not to|no need|stop|cancel|forget) [please] [bother] [to] "
    "(show|list|tell|give|help|explain|timeline|status|sync|print|post|send|showing|listing|telling)"
)


TELL_WHO: Final = any_of(
    """
    [(can|could|would) you] (tell|show|remind|let) (me|us) [know] (who|what|why|where|how|which)
    (do you|does anybody) know (who|what|why|when|where|how|which)
    (i|we) (need|want|would like|have) to (know|see) (who|what|why|when|where|how|which)
    (know|see) (who|what|why|when|where|how|which)
    (i|we) (wonder|am wondering|ask myself) (who|what|why|when|where|how|which)
    """
)
TELL_ME: Final = found_in("(tell me|want status|need status|need update|want update|wonder|see|know)")
HARMLESS_OR: Final = found_in(
    "or (what|still|already|not|open|yet) | or (is|are) (something|anything|there) | (acked|mitigated|resolved|closed|open) or"
)
"""An `or` that offers no choice of what to do: `who or what set it`, `is it resolved or still burning`."""
STATE: Final = any_of(f"(is|was|are|has) [it|that|this] {STILL}")
ASKED_WHETHER: Final = any_of(
    """
    (did|has|have) (anybody|somebody|we|they|PERSON|you) [already|ever|really] \
        (ack|mitigate|resolve|close|reopen|escalate|declare|assign) [already|yet]
    """
)

NEWS: Final = found_in("(any|anything|something) new")
WHO_SET: Final = found_in("(severity|status|title|assignee|service) (who|what) (set|changed|decided|wrote)")

WORDS: Final = frozenset(SEEN)
"""Every word that a question may be made of."""
