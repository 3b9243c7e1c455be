"""What a data card's codes mean to people, in English and in Chinese.

A code without an entry is shown as it is.
"""

from hornbook.corpus.recipe import REST
from hornbook.corpus.rules import RULES

Name = tuple[str, str]
"""What something is called, in English and in Chinese."""

_REASONS: dict[str, Name] = {
    "language": ("language not wanted", "语言不在所选之列"),
    "empty": ("empty", "空文档"),
    "forgotten": ("removed by request", "按要求移除"),
    "duplicate": ("exact duplicate", "完全重复"),
    "duplicate url": ("the same address (URL)", "网址重复"),
    "near duplicate": ("near duplicate", "近似重复"),
    "repeated paragraph": ("repeated paragraphs", "段落重复"),
    "paragraph language": ("paragraphs in other languages", "段落语言不在所选之列"),
    "paragraphs repeated or foreign": (
        "mostly repeated paragraphs or other languages",
        "大多是重复段落或其他语言",
    ),
    "evaluation data": ("holds evaluation data", "含有评测数据"),
    "mixture": ("more than the mixture takes", "超出混合比例所需"),
}
_READING = {
    "binary": "二进制内容",
    "broken EPUB": "EPUB 损坏",
    "broken PDF": "PDF 损坏",
    "broken Parquet": "Parquet 损坏",
    "broken Word file": "Word 文件损坏",
    "broken chapter": "章节损坏",
    "broken gzip": "gzip 压缩损坏",
    "broken mail": "邮件损坏",
    "broken page": "页面损坏",
    "broken record": "记录损坏",
    "broken row": "数据行损坏",
    "broken row group": "行组损坏",
    "encrypted PDF": "PDF 已加密",
    "file too large": "文件过大",
    "line too long": "行过长",
    "locked chapter": "章节已加密",
    "mail without text": "邮件没有正文",
    "message too large": "邮件过大",
    "no text": "没有文本",
    "no text field": "没有文本字段",
    "not JSON": "不是 JSON",
    "not UTF-16": "不是 UTF-16",
    "not UTF-8": "不是 UTF-8",
    "not Unicode": "不是 Unicode",
    "not a page": "不是网页",
    "not mail": "不是邮件",
    "page too large": "页面过大",
    "row group too large": "行组过大",
    "PDF without text": "PDF 没有文字",
    "EPUB without text": "EPUB 没有正文",
    "unreadable file": "文件无法读取",
    "unsupported format": "不支持的格式",
}
_PERSONAL: dict[str, Name] = {
    "card": ("payment card numbers", "银行卡号"),
    "email": ("e-mail addresses", "电子邮箱地址"),
    "iban": ("bank accounts (IBAN)", "银行账号（IBAN）"),
    "ip": ("IP addresses", "IP 地址"),
    "national_id": ("national identity numbers", "身份证件号码"),
    "phone": ("telephone numbers", "电话号码"),
}
_SCRIPTS = {
    "Latin": "拉丁字母",
    "Greek": "希腊字母",
    "Cyrillic": "西里尔字母",
    "Hebrew": "希伯来字母",
    "Arabic": "阿拉伯字母",
    "Devanagari": "天城文",
    "Thai": "泰文",
    "Kana": "假名",
    "Han": "汉字",
    "Hangul": "谚文",
    "other": "其他",
}
_LANGUAGES = """
af Afrikaans 南非荷兰语
am Amharic 阿姆哈拉语
ar Arabic 阿拉伯语
az Azerbaijani 阿塞拜疆语
be Belarusian 白俄罗斯语
bg Bulgarian 保加利亚语
bn Bengali 孟加拉语
bo Tibetan 藏语
bs Bosnian 波斯尼亚语
ca Catalan 加泰罗尼亚语
ceb Cebuano 宿务语
cs Czech 捷克语
cy Welsh 威尔士语
da Danish 丹麦语
de German 德语
el Greek 希腊语
en English 英语
eo Esperanto 世界语
es Spanish 西班牙语
et Estonian 爱沙尼亚语
eu Basque 巴斯克语
fa Persian 波斯语
fi Finnish 芬兰语
fr French 法语
fy Western Frisian 西弗里西亚语
ga Irish 爱尔兰语
gd Scottish Gaelic 苏格兰盖尔语
gl Galician 加利西亚语
gu Gujarati 古吉拉特语
ha Hausa 豪萨语
he Hebrew 希伯来语
hi Hindi 印地语
hr Croatian 克罗地亚语
ht Haitian Creole 海地克里奥尔语
hu Hungarian 匈牙利语
hy Armenian 亚美尼亚语
id Indonesian 印度尼西亚语
ig Igbo 伊博语
is Icelandic 冰岛语
it Italian 意大利语
ja Japanese 日语
jv Javanese 爪哇语
ka Georgian 格鲁吉亚语
kk Kazakh 哈萨克语
km Khmer 高棉语
kn Kannada 卡纳达语
ko Korean 韩语
ku Kurdish 库尔德语
ky Kyrgyz 吉尔吉斯语
la Latin 拉丁语
lb Luxembourgish 卢森堡语
lo Lao 老挝语
lt Lithuanian 立陶宛语
lv Latvian 拉脱维亚语
mg Malagasy 马达加斯加语
mi Maori 毛利语
mk Macedonian 马其顿语
ml Malayalam 马拉雅拉姆语
mn Mongolian 蒙古语
mr Marathi 马拉地语
ms Malay 马来语
mt Maltese 马耳他语
my Burmese 缅甸语
ne Nepali 尼泊尔语
nl Dutch 荷兰语
nn Norwegian Nynorsk 新挪威语
no Norwegian 挪威语
oc Occitan 奥克语
or Odia 奥里亚语
pa Punjabi 旁遮普语
pl Polish 波兰语
ps Pashto 普什图语
pt Portuguese 葡萄牙语
ro Romanian 罗马尼亚语
ru Russian 俄语
sa Sanskrit 梵语
sd Sindhi 信德语
si Sinhala 僧伽罗语
sk Slovak 斯洛伐克语
sl Slovenian 斯洛文尼亚语
so Somali 索马里语
sq Albanian 阿尔巴尼亚语
sr Serbian 塞尔维亚语
sv Swedish 瑞典语
sw Swahili 斯瓦希里语
ta Tamil 泰米尔语
te Telugu 泰卢固语
tg Tajik 塔吉克语
th Thai 泰语
tk Turkmen 土库曼语
tl Tagalog 他加禄语
tr Turkish 土耳其语
tt Tatar 鞑靼语
ug Uyghur 维吾尔语
uk Ukrainian 乌克兰语
ur Urdu 乌尔都语
uz Uzbek 乌兹别克语
vi Vietnamese 越南语
xh Xhosa 科萨语
yi Yiddish 意第绪语
yo Yoruba 约鲁巴语
zh Chinese 中文
zu Zulu 祖鲁语
"""
"""ISO 639-1 code, where there is none 639-2; the English and the Chinese name."""


def _languages() -> dict[str, Name]:
    found = {}
    for line in _LANGUAGES.split("\n")[1:-1]:
        code, names = line.split(maxsplit=1)
        en, zh = names.rsplit(maxsplit=1)
        found[code] = (en, zh)
    return found


_BY_CODE = _languages()
_BY_REASON = {rule.reason: rule.reason_zh for rule in RULES.values() if rule.reason_zh}


def reason_name(reason: str) -> Name:
    """Why a document or a record was dropped."""
    return _REASONS.get(reason) or (reason, _READING.get(reason) or _BY_REASON.get(reason, reason))


def rule_name(kind: str) -> Name:
    """What a rule drops documents for."""
    rule = RULES.get(kind)
    return (rule.reason, rule.reason_zh or rule.reason) if rule else (kind, kind)


def rule_source(kind: str) -> str:
    """Where a rule comes from; "" where nobody knows."""
    return RULES[kind].source if kind in RULES else ""


def language_name(code: str) -> Name:
    """The language of an ISO 639 code; "" is a language that was not identified."""
    return _BY_CODE.get(code, (code, code)) if code else ("not identified", "未识别")


def source_name(source: str) -> Name:
    """A source of the recipe, or what belongs to none of them."""
    return ("other", "其他") if source == REST else (source, source)


def script_name(script: str) -> Name:
    """The script of a card's figures."""
    return script, _SCRIPTS.get(script, script)


def personal_name(kind: str) -> Name:
    """A kind of personal data."""
    return _PERSONAL.get(kind, (kind, kind))
