"""The rule for postal addresses: a street with its number, and what follows it.

Types of streets are those of USPS Publication 28, of INEGI and of the post offices of the others. A
common word, such as "place", is a type only after a capitalized name.
"""

import re

from advin.discovery.text.config import MaskingConfig

_PLACEHOLDER = "[address]"
_UPPER = "".join(filter(str.isupper, map(chr, range(0x250))))
_NAME = rf"[{_UPPER}][\w'’.-]*"
# Types that are clear in lower case, too.
_STREET = "street|str?|avenue|ave|road|rd|boulevard|blvd|highway|hwy|parkway|pkwy|ln"
_MORE_STREETS = (
    "alley|annex|arcade|bayou|beach|bend|bluffs?|bottom|branch|bridge|brooks?|burgs?|bypass|camp"
    "|canyon|cape|causeway|centers?|circles?|cliffs?|close|club|common|corners?|courses?|courts?|ct"
    "|coves?|creek|crescent|crest|cross(?:ing|road|roads)?|curve|dale|dam|divide|dr|drives?|estates?"
    "|expressway|extensions?|falls?|ferry|fields?|flats?|fords?|forest|forges?|forks?|fort|freeway"
    "|gardens?|gateway|glens?|greens?|groves?|harbou?rs?|haven|heights|hills?|hollow|inlet|islands?"
    "|isle|junctions?|keys?|knolls?|lakes?|land|landing|lane|lights?|loaf|locks?|lodge|loop|mall"
    "|manors?|meadows?|mews|mills?|mission|motorway|mount|mountains?|neck|orchard|oval|overpass"
    "|parks?|parkways|pass|passage|path|pike|pines?|place|pl|plains?|plaza|points?|ports?|prairie"
    "|radial|ramp|ranch|rapids?|rest|ridges?|river|roads|route|row|run|shoals?|shores?|springs?"
    "|spurs?|squares?|sq|stations?|stravenue|stream|streets|summit|terrace|ter|throughway|trace"
    "|track|trafficway|trails?|trl|tunnel|turnpike|underpass|unions?|valleys?|via|viaduct|views?"
    "|villages?|ville|vista|walks?|wall|ways?|wells?"
)
_UNIT = r"(?:,?\s(?i:apt|apartment|suite|ste|unit|floor|flat|studio)\b\.?\s?\#?\w{1,5})?"
_STATE = rf"(?:,?\s{_NAME}(?:\s{_NAME})?,?\s[A-Z]{{2}}\s\d{{5}}(?:-\d{{4}})?)?"
_ENGLISH = rf"""
    (?:(?i:flat|studio|apartment|apt|suite|unit)\.?\s\w{{1,4}},?\s)?
    \b\d{{1,6}}[A-Za-z]?\s(?:(?:{_NAME}|\d+(?:st|nd|rd|th))\s){{1,3}}?(?i:{_STREET}|{_MORE_STREETS})\b
        \.?{_UNIT}{_STATE}
    | (?i:flat|studio|apartment|apt|suite|unit)\.?\s\d{{1,4}}[A-Za-z]?,\s(?:{_NAME}\s){{1,3}}?
        (?i:{_STREET}|{_MORE_STREETS})\b
    | \b\d{{2,6}}\s(?!minute|hour|day|mile|km|mb|gb)(?:[^\W\d_]+\s|\d+(?:st|nd|rd|th)\s){{1,2}}?
        (?i:{_STREET})\b\.?{_UNIT}"""
_NUMBER = r"\d{1,5}(?:\s?[a-zA-Z]\b)?(?:[-/]\d{1,5})?\b"
_GERMAN = rf"""
    \b(?:[A-ZÄÖÜ][\w-]{{0,40}}(?i:weg|ring|ufer|damm|chaussee|steig|pfad|markt|berg|hof)
        | [\w-]{{1,40}}(?i:stra(?:ß|ss)e|str\.|platz|gasse|allee)
        | [A-ZÄÖÜ][\w-]{{0,40}}\s(?i:stra(?:ß|ss)e|str\.|weg|platz|allee))
        \s{_NUMBER}(?:,?\s(?:D-)?\d{{5}}\s[A-ZÄÖÜ][\w-]+)?"""
# Dutch and Scandinavian streets are one word with their type.
_NORTHERN = rf"""
    \b(?:[{_UPPER}][\w-]*\s)?[{_UPPER}][\w-]*(?:straat|laan|plein|gracht|kade|dreef|steeg|singel|baan|weg|dijk
        |pad(?<!ipad)(?<!chpad)(?<!nkpad)|hof|boulevard|gatan?|vägen|väg|torget|gränd|stigen|backen|plan
        |vej|gade|stræde|torv|vænget|allé|parken
        |veien|vegen|haugen|bakken|stien|kroken|svingen|toppen|jordet|løkka|vika|bråten|åsen|dalen
        |moen|havna|holtet|eggen|grenda|tunet|berget|kollen|sletta|roa|faret|flata|skogen|vollen
        |myra|marka|katu|kuja|polku)\s{_NUMBER}
    | \b[\w-]{{3,40}}(?:straat|gracht|gatan|vägen|gränd|torget|stræde|veien|vegen)\s{_NUMBER}"""
_EASTERN = rf"""
    \b(?:(?i:ul|al|os|pl)\.|(?i:ulica|ulice|aleja|osiedle|plac|n[áa]m[ěe]st[íi]|strada|[şs]oseaua
        |bulevardul|calea))\s(?:{_NAME}|\d{{1,2}}|i)(?:\s(?:{_NAME}|i)){{0,3}}\s{_NUMBER}
    | \b{_NAME}(?:\s{_NAME}){{0,2}}\s(?i:utca|[úu]tja|sokak|sokağı|cadde(?:si)?|bulvarı|ulica)\.?
        \s(?i:no:?\s?)?{_NUMBER}"""
_CLEAR = (
    "calle|avenida|avda\\.?|rua|rue|viale|vicolo|piazzale|piazza|boulevard|chemin|impasse|avenue"
)
_ROMANCE = (
    rf"{_CLEAR}|c\.|c/|av\.|plaza|paseo|rambla|ronda|camino|cuesta|cañada|pasaje|pasadizo|acceso"
    "|calzada|privada|prolongaci[oó]n|andador|circuito|circunvalaci[oó]n|perif[eé]rico|cerrada"
    "|diagonal|transversal|carrera|retorno|corredor|peatonal|continuaci[oó]n|ampliaci[oó]n"
    r"|eje(?:\svial)?|vial|viaducto|v[ií]a|urbanizaci[oó]n|glorieta|callej[oó]n|alameda|carretera"
    "|traves[ií]a|corso|strada"
    "|contrada|largo|borgo|canale|rotonda|incrocio|stretto|travessa|pra[çc]a|estrada|rodovia|quadra"
    "|setor|parque|n[úu]cleo|conjunto|ladeira|trevo|viela|vila|lagoa?|jardim|campo|ch[áa]cara"
    "|condom[íi]nio|distrito|esplanada|esta[çc][ãa]o|favela|feira|fazenda|morro|trecho|s[íi]tio"
    "|recanto|praia|aeroporto|acampamento|passagem|residencial|p[áa]tio|passarela|loteamento|col[ôo]nia|vale|vereda|viaduto|place"
    "|all[ée]e?|mont[ée]e|rang|quai|route|ruelle|passage|cours|square"
)
_OF = r"(?:(?i:del|dell[ao]|de|da|do|das|dos|di|des|du|d['’]|la|los|las)\s?){0,2}"
_NAMES = rf"{_OF}{_NAME}(?:\s{_OF}{_NAME}){{0,4}}"
_DOOR = (
    r"(?:\s?,?\s(?i:edif(?:icio)?|depto|dpto|interior|piso|puerta|apt|apto|piano|appartamento|esc|suite"
    r"|bloco|bloque|int|bis)\b\.?\s?\w{1,4})*"
)
# A number within the house, the quarter and the postcode.
_PLACE = (
    rf"(?:\s\d{{3}}\b)?{_DOOR}(?:,?\s(?:(?i:col\.|colonia|barrio)\s{_NAMES}"
    r"|(?i:c\.?\s?p\.?\s?)\d{5}\b))*"
)
# Streets with numbers for names, and a sign before the door: "Cra. 7 # 45-12 Sur", "Calle 9 N° 66".
_SIDE = r"(?:\s(?i:bis|sur|norte|este|oeste|[a-z])\b)*"
_CROSSING = r"\d{1,4}[a-zA-Zªº]{0,2}"
_SIGNED = rf"""
    \b(?i:(?:av(?:enida)?\.?\s)?(?:calle|cll?|carrera|cra?|kra?|avenida|av(?:d?a)?|ak|ac|diagonal
        |diag|dg|transversal|transv|tv|tr|circular|autopista|manzana|mz|boulevard|blvd?|bv))\.?
        \s(?:{_CROSSING}|{_NAMES}){_SIDE}\s?(?:
            (?:\#|(?i:n[º°]\.?|no\.|nro\.?|n[úu]mero))\s?{_CROSSING}(?:\s?-\s?{_CROSSING})?
            | (?i:no)\s{_CROSSING}-{_CROSSING}){_SIDE}{_PLACE}"""
_SOUTHERN = rf"""
    \b(?i:{_ROMANCE})\s{_NAMES},?\s(?i:n[º°.]?\s?)?{_NUMBER}{_PLACE}
    | \b(?i:calle|avenida|rua|rue|viale|piazza)\s(?:[^\W\d_]+\s){{1,4}}?{_NUMBER}{_PLACE}
    | \b\d{{1,5}}(?:\s?(?:bis|ter))?,?\s(?i:{_ROMANCE})\s{_NAMES}(?:\s\d{{3,5}}\b)?{_DOOR}
    | \b\d{{1,4}},?\s(?i:rue|avenue|boulevard|chemin|impasse)\s(?:de\sla\s|du\s|des\s|de\s|d['’])?
        [^\W\d_]+"""
_WITH_NUMBER = re.compile(
    "|".join((_ENGLISH, _GERMAN, _NORTHERN, _EASTERN, _SIGNED, _SOUTHERN)), re.VERBOSE
)
_WITHOUT_NUMBER = re.compile(rf"\b(?i:{_CLEAR})\s{_NAMES}", re.VERBOSE)
_DIGIT = re.compile(r"\d")


def mask_addresses(text: str, config: MaskingConfig) -> str:
    """Replace streets with their numbers, and streets of Romance languages without one."""
    if _DIGIT.search(text):
        text = _WITH_NUMBER.sub(_PLACEHOLDER, text)
    return _WITHOUT_NUMBER.sub(_PLACEHOLDER, text)
