"""The words for what is written short in English: units, abbreviations, scales of numbers and signs."""

from __future__ import annotations

MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"]
MONTH_NAMES = {name[:3].lower(): name for name in MONTHS}
UNITS = {
    "km/h": ("kilometer per hour", "kilometers per hour"),
    "km": ("kilometer", "kilometers"),
    "cm": ("centimeter", "centimeters"),
    "µm": ("micrometer", "micrometers"),
    "mm": ("millimeter", "millimeters"),
    "nm": ("nanometer", "nanometers"),
    "m/s": ("meter per second", "meters per second"),
    "m/s²": ("meter per second squared", "meters per second squared"),
    "m²": ("square meter", "square meters"),
    "km²": ("square kilometer", "square kilometers"),
    "m³": ("cubic meter", "cubic meters"),
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
    "KB/s": ("kilobyte per second", "kilobytes per second"),
    "Mb/s": ("megabit per second", "megabits per second"),
    "Gb/s": ("gigabit per second", "gigabits per second"),
    "MB/s": ("megabyte per second", "megabytes per second"),
    "GB/s": ("gigabyte per second", "gigabytes per second"),
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
}
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
}  # fmt: skip
BEFORE_NUMBERS = {"No": "number", "no": "number", "Fig": "figure", "fig": "figure", "Vol": "volume", "vol": "volume", "Ch": "chapter"}
BEFORE_NUMBERS |= {"ch": "chapter", "p": "page", "pp": "pages", "Sec": "section", "sec": "section", "Eq": "equation", "Art": "article"}
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
OPERATORS = {"->": "to", "=>": "to", "<-": "from", "<=": "at most", ">=": "at least", "!=": "is not", "==": "equals", "&&": "and"}
POWERS = {"2": "squared", "3": "cubed", "-": "minus", "+": "plus"}
EXPONENTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿ₀₁₂₃₄₅₆₇₈₉", "0123456789-+n0123456789")
VULGAR = dict(zip("½⅓⅔¼¾⅕⅛", ("1/2", "1/3", "2/3", "1/4", "3/4", "1/5", "1/8"), strict=True))
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
}  # fmt: skip
