"""Words that open a message before a colon or comma without addressing anyone.

In chats people address each other as `nick: ...`. What is not listed here, and does
not look like a label, is taken for a nick: a lost label costs little, a name that
stays costs its owner. Compiled by reading how messages of public developer chats
begin; words that are also common names or nicks are left out on purpose.
"""

import re

WORDS = frozenset(
    """
    a about accessibility action actions actual actually add address afaik after
    again agenda agree agreed ah aha ahh alias all almost alpha already alright also
    alternative alternatively although always and announcement another answer
    answers any anybody anyhow anyone anything anyway anyways api apparently
    approach april apt argument arguments as aside assumption at attention august
    author award away background backtrace bash basically because before behavior
    behaviour besides best beta better beware big blocker blockers bonus book both
    brb btw bug bugs build bump but by cached calc came can cannot cant case cat
    cause caution cc certainly change changed changelog changes channel check chmod
    chown chrome clarification client close closed closes code collection command
    commands comment comments commit community complete components composite
    conclusion config configuration configure confirmed conflicts congrats cons
    consider considering console context cool copied correct correction could cp
    crash credits currently daemon damn data date day days deadline debug december
    decision def default define definitely definition demo depends deps description
    details device devs digital disclaimer discussion display distribution docker
    docs documentation does done download downside dpkg drawback driver each edit
    edited eg either elm else email empty enough environment er erm err error errors
    es especially essentially etc even eventually every everybody everyone
    everything ex exactly example examples excellent except exception exit expected
    explanation extra facts failed failing fails failure fair false fatal favorite
    feature features february feedback few fi file filename files final finally find
    fine firefox first fix fixed fixes fixing flags folks follow follow-up following
    foo for format forum forums found framework frankly friday from fun fun-fact
    funny fwiw fyi gcc gdb general generally get getting git github gitlab given
    glad go goal goals good google got great grep group guess guys ha haha hardware
    has have he heh hello help hence here hey hi highlight hint hints hm hmm hmmm
    home honestly hopefully host hosts how however hrm html http https huh i idea
    ideas idk if imho imo important in incidentally including indeed info
    information input install installed instead instructions interesting interface
    internal io ios ip is issue issues it item items its january java javascript job
    july june just k kernel key known label languages last later latest least legal
    less let lets level like likewise line link links linux list little live local
    localhost location log logs lol long look looks lost ls luckily mac macos macro
    made main make many map master maven max maybe me meaning meanwhile media
    meeting memory merged message messages meta method milestone min mind minutes
    mobile mod mode module modules monday money more moreover morning mostly
    motivation mount mouse mv my myself mysql name namely nano natural nb neither
    never nevermind new news next nginx nice no no-one nobody node nodejs none nope
    nor normally not note notes nothing notice notification november now npm
    observed obviously october of off often oh ok okay old on once one only oops
    open opened openssl opinion option options or original os other otherwise ouch
    our out output outputs over overall owner package packages param params part
    parts passed password patch path pattern perfect performance perhaps permission
    person personal ping pip plan plans platform please plot plus point points ports
    possible possibly postgresql postscript precondition presumably pretty previous
    priority pro probably problem problems procedure process product progress
    project proposal pros ps purpose python python3 qemu query question questions
    quick quote rationale re read-only readme really reason reasons recap recently
    reference references regarding regardless related release remember reminder
    remote repeat repo report reproduce reproduction request requested requirement
    requirements resolution resolved resolver resolves rest result results review
    right risks rm root rule rules run running sad said same sample saturday say
    says scenario scope screenshot script sda search second secondly section
    security see self september seriously server service set setup she short should
    side-note sidenote similarly simple simply since size skype so software solution
    solutions solved some somebody someone something sometimes soon sorry sound
    source space specifically ssh stable stacktrace stage standards starting state
    stats status step steps still stop strange stuff sub subject submission
    subversion success such sudo suggestion suggestions summary sunday super suppose
    supposedly sure surely svn swap symptom symptoms synopsis syntax system tables
    tag talk tar task tasks team technically technology telnet temporary test tested
    testing tests text than thank thanks that the their them then there therefore
    these they thing things think this those though thought thoughts through
    thursday thus ticket tickets til time tip tips tired title tldr to to-do today
    todo together tomorrow too tool tools top topic topics total traceback
    translation tricks true truly try tuesday two type typescript typo u ubuntu uh
    um umount undefined under understood unfortunately uninstall unique unless
    unrelated until update updated updates upgrade upshot uri url usage use use-case
    use-cases user username using usual usually value variable variant verbose
    version versions very vi view vim volumes vote wait wanted warn warning warnings
    was way we web wednesday weird welcome well were what whatever when where
    whereas whether which while who whoa whoever whoops why wikipedia will wine wish
    wishlist with without workaround works worth would wow x xen y ya yay yea yeah
    yep yes yesterday yet you your yup yw zip
    """.split()  # noqa: SIM905 - a thousand quotes would hide the words
)

_LABEL = re.compile(
    r"(?:error|exception|warning|failure|ing|tion|sion|ment|ness|ally|ably|ibly|able)s?$"
    r"|^(?-i:[A-Z]{1,4})$"
    r"|^.$",
    re.IGNORECASE,
)


def is_label(word: str) -> bool:
    """Whether `word`, before a colon, is a label and not somebody's nick."""
    return word.lower() in WORDS or _LABEL.search(word) is not None
