"""The words for what is written short in English: units, abbreviations, scales of numbers and signs."""

from __future__ import annotations

MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"]
DAYS = {name[:3]: name for name in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")}
MONTH_NAMES = {name[:3].lower(): name for name in MONTHS}
UNITS = {
    "km": ("kilometer", "kilometers"),
    "cm": ("centimeter", "centimeters"),
    "µm": ("micrometer", "micrometers"),
    "mm": ("millimeter", "millimeters"),
    "nm": ("nanometer", "nanometers"),
    "m": ("meter", "meters"),
    "mi": ("mile", "miles"),
    "mph": ("mile per hour", "miles per hour"),
    "ft": ("foot", "feet"),
    "yd": ("yard", "yards"),
    "kg": ("kilogram", "kilograms"),
    "mg": ("milligram", "milligrams"),
    "µg": ("microgram", "micrograms"),
    "g": ("gram", "grams"),
    "lb": ("pound", "pounds"),
    "lbs": ("pound", "pounds"),
    "oz": ("ounce", "ounces"),
    "ml": ("milliliter", "milliliters"),
    "l": ("liter", "liters"),
    "L": ("liter", "liters"),
    "µs": ("microsecond", "microseconds"),
    "ms": ("millisecond", "milliseconds"),
    "s": ("second", "seconds"),
    "sec": ("second", "seconds"),
    "secs": ("second", "seconds"),
    "min": ("minute", "minutes"),
    "mins": ("minute", "minutes"),
    "h": ("hour", "hours"),
    "hr": ("hour", "hours"),
    "hrs": ("hour", "hours"),
    "Mb": ("megabit", "megabits"),
    "Gb": ("gigabit", "gigabits"),
    "KB": ("kilobyte", "kilobytes"),
    "MB": ("megabyte", "megabytes"),
    "GB": ("gigabyte", "gigabytes"),
    "GiB": ("gibibyte", "gibibytes"),
    "TB": ("terabyte", "terabytes"),
    "kbps": ("kilobit per second", "kilobits per second"),
    "Mbps": ("megabit per second", "megabits per second"),
    "Gbps": ("gigabit per second", "gigabits per second"),
    "Hz": ("hertz", "hertz"),
    "kHz": ("kilohertz", "kilohertz"),
    "MHz": ("megahertz", "megahertz"),
    "GHz": ("gigahertz", "gigahertz"),
    "fps": ("frame per second", "frames per second"),
    "rpm": ("revolution per minute", "revolutions per minute"),
    "dB": ("decibel", "decibels"),
    "hp": ("horsepower", "horsepower"),
    "Nm": ("newton meter", "newton meters"),
    "Ω": ("ohm", "ohms"),
    "kΩ": ("kilohm", "kilohms"),
    "mΩ": ("milliohm", "milliohms"),
    "MΩ": ("megohm", "megohms"),
    "mA": ("milliampere", "milliamperes"),
    "MV": ("megavolt", "megavolts"),
    "mV": ("millivolt", "millivolts"),
    "kV": ("kilovolt", "kilovolts"),
    "mW": ("milliwatt", "milliwatts"),
    "MW": ("megawatt", "megawatts"),
    "GW": ("gigawatt", "gigawatts"),
    "MWh": ("megawatt hour", "megawatt hours"),
    "GWh": ("gigawatt hour", "gigawatt hours"),
    "TWh": ("terawatt hour", "terawatt hours"),
    "W": ("watt", "watts"),
    "kW": ("kilowatt", "kilowatts"),
    "kWh": ("kilowatt hour", "kilowatt hours"),
    "V": ("volt", "volts"),
    "mAh": ("milliampere hour", "milliampere hours"),
    "°C": ("degree Celsius", "degrees Celsius"),
    "°F": ("degree Fahrenheit", "degrees Fahrenheit"),
    "°": ("degree", "degrees"),
    "%": ("percent", "percent"),
    "¢": ("cent", "cents"),
    "sq ft": ("square foot", "square feet"),
    "sq. ft.": ("square foot", "square feet"),
    "sq mi": ("square mile", "square miles"),
    "sq km": ("square kilometer", "square kilometers"),
    "sq m": ("square meter", "square meters"),
    "cu ft": ("cubic foot", "cubic feet"),
    "cu. ft.": ("cubic foot", "cubic feet"),
    "fl oz": ("fluid ounce", "fluid ounces"),
    "fl. oz.": ("fluid ounce", "fluid ounces"),
    "yds": ("yard", "yards"),
    "tbsp": ("tablespoon", "tablespoons"),
    "tsp": ("teaspoon", "teaspoons"),
    "gal": ("gallon", "gallons"),
    "qt": ("quart", "quarts"),
    "mpg": ("mile per gallon", "miles per gallon"),
    "psi": ("pound per square inch", "pounds per square inch"),
    "cl": ("centiliter", "centiliters"),
    "dl": ("deciliter", "deciliters"),
    "ha": ("hectare", "hectares"),
    "kcal": ("kilocalorie", "kilocalories"),
    "kJ": ("kilojoule", "kilojoules"),
    "kN": ("kilonewton", "kilonewtons"),
    "Pa": ("pascal", "pascals"),
    "hPa": ("hectopascal", "hectopascals"),
    "kPa": ("kilopascal", "kilopascals"),
    "ppm": ("part per million", "parts per million"),
    "px": ("pixel", "pixels"),
    "dpi": ("dot per inch", "dots per inch"),
    "ns": ("nanosecond", "nanoseconds"),
    "yr": ("year", "years"),
    "yrs": ("year", "years"),
    "wk": ("week", "weeks"),
    "wks": ("week", "weeks"),
    "mos": ("month", "months"),
    "MiB": ("mebibyte", "mebibytes"),
    "KiB": ("kibibyte", "kibibytes"),
    "PB": ("petabyte", "petabytes"),
    "bps": ("bit per second", "bits per second"),
    "Wh": ("watt hour", "watt hours"),
}
LENGTHS = ("km", "m", "cm", "mm", "mi", "ft", "yd", "in")
"""Units that have squares and cubes."""
PER = {"h": "hour", "hr": "hour", "hour": "hour", "s": "second", "sec": "second", "second": "second", "min": "minute", "minute": "minute"}
PER |= {"day": "day", "wk": "week", "week": "week", "mo": "month", "month": "month", "yr": "year", "year": "year", "night": "night"}
PER |= {
    "kg": "kilogram",
    "g": "gram",
    "l": "liter",
    "L": "liter",
    "dL": "deciliter",
    "dl": "deciliter",
    "ml": "milliliter",
    "mL": "milliliter",
}
PER |= {"m": "meter", "km": "kilometer", "lb": "pound", "oz": "ounce", "gal": "gallon", "gallon": "gallon", "mi": "mile", "mile": "mile"}
PER |= {"in": "inch", "ft": "foot", "person": "person", "user": "user", "unit": "unit", "item": "item", "piece": "piece", "page": "page"}
PER |= {
    "token": "token",
    "request": "request",
    "call": "call",
    "seat": "seat",
    "kWh": "kilowatt hour",
    "cm": "centimeter",
    "mm": "millimeter",
}
"""What stands behind the stroke in 5 m/s or $20/month."""
# Greek mu is written for the micro sign too; 10KM and 8gb mean what 10 km and 8 GB do, but of single letters the case decides: 5m, 5M.
UNITS |= {name.replace("µ", "\u03bc"): said for name, said in UNITS.items()}
UNITS = {name.lower(): said for name, said in UNITS.items() if len(name) > 1} | UNITS
ABBREVIATIONS = {
    "Dr": "Doctor", "Mr": "Mister", "Mrs": "Missus", "Ms": "Miz", "Prof": "Professor", "Jr": "Junior", "Sr": "Senior", "Rev": "Reverend",
    "Gen": "General", "Col": "Colonel", "Capt": "Captain", "Lt": "Lieutenant", "Sgt": "Sergeant", "Gov": "Governor", "Sen": "Senator",
    "Rep": "Representative", "Hon": "Honorable", "Pres": "President", "Mt": "Mount", "Ft": "Fort", "Ave": "Avenue", "Blvd": "Boulevard",
    "Rd": "Road", "Inc": "Incorporated", "Ltd": "Limited", "Corp": "Corporation", "Co": "Company", "Bros": "Brothers", "Dept": "Department",
    "Univ": "University", "Assn": "Association", "vs": "versus", "etc": "et cetera", "approx": "approximately", "est": "established",
    "ca": "circa", "cf": "compare", "al": "al", "Jan": "January", "Feb": "February", "Mar": "March", "Apr": "April", "Aug": "August",
    "Sept": "September", "Sep": "September", "Oct": "October", "Nov": "November", "Dec": "December",
    "Esq": "Esquire", "Maj": "Major", "Adm": "Admiral", "Cmdr": "Commander", "Messrs": "Messieurs", "Hwy": "Highway", "Apt": "Apartment",
    "Ste": "Suite", "Bldg": "Building", "Mme": "Madame", "viz": "namely", "avg": "average", "min": "minimum", "max": "maximum",
    "incl": "including", "excl": "excluding", "misc": "miscellaneous", "govt": "government", "tel": "telephone", "Tel": "Telephone",
    "ext": "extension", "Ext": "Extension", "Tues": "Tuesday", "Thurs": "Thursday", "Mon": "Monday", "Fri": "Friday",
    "Jul": "July", "Jun": "June",
}  # fmt: skip
BEFORE_NUMBERS = {"No": "number", "no": "number", "Fig": "figure", "fig": "figure", "Vol": "volume", "vol": "volume", "Ch": "chapter"}
BEFORE_NUMBERS |= {"ch": "chapter", "p": "page", "pp": "pages", "Sec": "section", "sec": "section", "Eq": "equation", "Art": "article"}
BEFORE_NUMBERS |= {"Nos": "numbers", "nos": "numbers", "Figs": "figures", "figs": "figures", "Vols": "volumes", "Chs": "chapters"}
BEFORE_NUMBERS |= {
    "Eqs": "equations",
    "Secs": "sections",
    "Pt": "part",
    "pt": "part",
    "Op": "opus",
    "op": "opus",
    "Ver": "version",
    "Ed": "edition",
}
SCALES = {
    "k": "thousand",
    "K": "thousand",
    "m": "million",
    "M": "million",
    "mn": "million",
    "bn": "billion",
    "b": "billion",
    "B": "billion",
}
SCALES |= {"T": "trillion", "tn": "trillion"} | {name: name for name in ("thousand", "million", "billion", "trillion")}
DOLLARS = {"US": "US", "A": "Australian", "AU": "Australian", "C": "Canadian", "CA": "Canadian", "NZ": "New Zealand", "HK": "Hong Kong"}
OPERATORS = {
    "->": "to",
    "=>": "to",
    "<-": "from",
    "<=": "at most",
    ">=": "at least",
    "!=": "is not",
    "==": "equals",
    "&&": "and",
    "||": "or",
}
POWERS = {"2": "squared", "3": "cubed", "-": "minus", "+": "plus"}
EXPONENTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿ₀₁₂₃₄₅₆₇₈₉", "0123456789-+n0123456789")
VULGAR = dict(zip("½⅓⅔¼¾⅕⅛", ("1/2", "1/3", "2/3", "1/4", "3/4", "1/5", "1/8"), strict=True))
SAINTS = (
    "Agnes Albans Alban Andrew Andrews Ann Anne Anselm Anthony Augustine Barnabas Bartholomew Basil Benedict Bernard Catherine "
    "Cecilia Charles Christopher Clair Clare Clement Cloud Columba Croix Cuthbert David Elizabeth Elmo Francis Gabriel George Germain "
    "Giles Gregory Helena Helens Helier Hilda Ignatius Ives James Jerome Joan Joe John Johns Joseph Jude Kilda Kitts Lawrence Leonard "
    "Louis Lucia Lucy Luke Margaret Mark Martin Mary Marys Matthew Maurice Michael Monica Moritz Nicholas Olaf Pancras Patrick Paul "
    "Pauls Peter Peters Petersburg Philip Pierre Sebastian Simon Stephen Stephens Teresa Thomas Tropez Ursula Valentine Vincent Vitus"
)
MONARCHS = (
    "Albert Alexander Alfonso Alphonse Andrew Baldwin Benedict Boniface Carl Catherine Celestine Charles Christian Clement "
    "Constantine Darius Edward Elizabeth Eric Eugene Ferdinand Felipe Francis Franz Frederick George Gregory Gustav Harald Haakon "
    "Harold Henry Innocent Isabella Ivan James John Joseph Josef Julius Karl Leo Leopold Louis Ludwig Margaret Maria Mary Matthew "
    "Maximilian Mehmed Murad Napoleon Nicholas Olaf Otto Paul Pedro Peter Philip Pius Ptolemy Ramesses Ramses Richard Robert Rudolf "
    "Selim Sixtus Stephen Sweyn Theodosius Thutmose Umberto Urban Victor Vittorio Wilhelm William Xerxes"
)
"""After these a Roman number is the how manieth of the name."""
NUMBERED = (
    "chapter part act scene volume book section article appendix type phase level class bowl figure title grade stage mark series "
    "step group unit war table vatican apollo lesson canto quarter sonata symphony amendment schedule annex factor division region "
    "tier"
)
"""After these it is a number."""
ROOMS = (
    "Room Rm Flight Highway Hwy Route Interstate Suite Apartment Apt Boeing Airbus Area Channel Gate Extension Ext Error error Studio "
    "Bus Exit Platform Building HTTP Status status code room flight highway route suite apartment gate exit"
)
"""After these 101 is said one oh one."""
BIBLE = (
    "Genesis Exodus Leviticus Numbers Deuteronomy Joshua Judges Ruth Samuel Kings Chronicles Ezra Nehemiah Esther Job Psalms? "
    "Proverbs Ecclesiastes Isaiah Jeremiah Lamentations Ezekiel Daniel Hosea Joel Amos Obadiah Jonah Micah Nahum Habakkuk Zephaniah "
    "Haggai Zechariah Malachi Matthew Mark Luke John Acts Romans Corinthians Galatians Ephesians Philippians Colossians Thessalonians "
    "Timothy Titus Philemon Hebrews James Peter Jude Revelation"
)
IN_ADDRESSES = {
    ".": "dot", "/": "slash", "-": "dash", "_": "underscore", "?": "question mark", "=": "equals", "&": "and", "#": "hash", ":": "colon",
    "%": "percent", "~": "tilde", "+": "plus", "@": "at", ",": "comma", ";": "semicolon",
}  # fmt: skip
TOP_LEVEL = "com|org|net|edu|gov|io|dev|ai|app|info|eu|uk|de|fr|ca|jp|ch|tv|co"
SIGNS = {
    "&": "and", "@": "at", "+": "plus", "=": "equals", "×": "times", "÷": "divided by", "±": "plus or minus", "≈": "about", "≤": "at most",
    "≥": "at least", "≠": "is not", "<": "less than", ">": "greater than", "°": "degrees", "%": "percent", "‰": "per mille", "§": "section",
    "©": "copyright", "®": "registered", "™": "trademark", "№": "number", "→": "to", "←": "from", "⇒": "so", "√": "square root of",
    "∞": "infinity", "π": "pi", "µ": "micro", "^": "to the power of", "\\": "backslash", "/": "slash", "#": "hash",
    "$": "dollars", "€": "euros", "£": "pounds", "¥": "yen", "₹": "rupees", "|": ",", "~": "about",
    "¶": "paragraph", "·": "times", "∙": "times", "⋅": "times", "∈": "in", "∑": "sum of", "∂": "partial", "Δ": "delta", "†": ",", "‡": ",",
}  # fmt: skip
ATTRIBUTES = "MW mm cm km kg mg ml ft lb oz mph kW GB TB MB Hz kHz MHz GHz W V mAh px"
"""Units that a hyphen ties to their number: a 35-mm film. Not a 5-m or a 3-in."""
PHRASES = {
    "eg": "for example,", "ie": "that is,", "w/o": "without", "w/": "with", "aka": "also known as",
    "wrt": "with respect to", "vs": "versus",
}  # fmt: skip
LATEX = {
    "times": "times", "cdot": "times", "div": "divided by", "pm": "plus or minus", "leq": "at most", "le": "at most", "geq": "at least",
    "ge": "at least", "neq": "is not", "ne": "is not", "approx": "is about", "equiv": "is equivalent to", "infty": "infinity",
    "sum": "sum", "prod": "product", "int": "integral", "lim": "limit", "to": "to", "rightarrow": "to", "Rightarrow": "implies",
    "implies": "implies", "in": "in", "notin": "not in", "subset": "subset of", "cup": "union", "cap": "intersection",
    "forall": "for all", "exists": "there exists", "partial": "partial", "nabla": "nabla", "ldots": ", ", "cdots": ", ", "dots": ", ",
    "left": "", "right": "", "quad": ",", "qquad": ",", "circ": "degrees", "lt": "less than", "gt": "greater than", "log": "log",
    "ln": "natural log", "sin": "sine", "cos": "cosine", "tan": "tangent", "displaystyle": "", "limits": "", "mathbb": "",
    "vec": "vector", "hat": "hat", "bar": "bar", "sqrt": "square root of", "begin": "", "end": "",
}  # fmt: skip
NO_NOUNS = "a after an and are as at before but by for from he i if in is it of off on or over per she so than the they to was we were with"
MEASURED = (
    "bill board cable card deal dash drive fee film fine freestyle gap grant hike hurdle interval laptop lead lens limit line loan "
    "mark model note pause phone pipe prize race radius range relay run sprint swim tank tape ticket timeout timer version wait walk "
    "wall window"
)
"""What a length or an amount tells the kind of: the 100 m race, the $5 bill."""
