"""Words that unwanted messages live on, by what they appeal to, in English and Chinese.

What public advice on spam and fraud warns of, and what paid messages must say.
"""

import re

PRIZE = (
    *("win", "wins", "winner", "winners", "won", "winning", "prize", "prizes", "award", "awarded"),
    *("reward", "rewards", "lottery", "lotto", "jackpot", "draw", "cash", "bonus", "gift"),
    *("voucher", "vouchers", "selected", "chosen", "congratulations", "congrats", "claim"),
    *("guaranteed", "lucky", "million", "millions", "inheritance", "compensation", "entitled"),
    *(
        "中奖",
        "奖品",
        "奖金",
        "大奖",
        "抽奖",
        "恭喜您",
        "恭喜你",
        "获奖",
        "领取",
        "红包",
        "幸运用户",
    ),
    *("彩票", "礼品", "百万"),
)
OFFER = (
    *("free", "offer", "offers", "discount", "sale", "deal", "deals", "cheap", "cheapest", "save"),
    *("bargain", "trial", "bid", "buy", "order", "price", "prices", "rate", "rates", "promo"),
    *("promotion", "coupon", "subscription", "subscribe", "membership", "ringtone", "ringtones"),
    *(
        "tone",
        "tones",
        "wallpaper",
        "download",
        "loan",
        "loans",
        "mortgage",
        "credit",
        "investment",
    ),
    *(
        "casino",
        "pills",
        "viagra",
        "weight",
        "earn",
        "income",
        "half price",
        "no cost",
        "risk free",
    ),
    *(
        "免费",
        "优惠",
        "打折",
        "特价",
        "促销",
        "折扣",
        "低价",
        "清仓",
        "贷款",
        "办证",
        "发票",
        "代开",
    ),
    *("信用卡", "理财", "投资", "高收益", "兼职", "日赚", "刷单", "赌场", "博彩", "减肥", "包邮"),
)
URGENCY = (
    *("urgent", "urgently", "immediately", "now", "today", "hurry", "expires", "expire", "expired"),
    *("deadline", "final", "last chance", "limited", "only", "act now", "asap", "attempt"),
    *("attempts", "warning", "alert", "important", "final notice", "within 24 hours"),
    *(
        "紧急",
        "立即",
        "立刻",
        "马上",
        "尽快",
        "限时",
        "最后一天",
        "最后机会",
        "逾期",
        "仅限",
        "速度",
    ),
)
ACCOUNT = (
    *("account", "accounts", "verify", "verification", "confirm", "password", "passcode", "login"),
    *("log in", "bank", "security", "suspended", "suspension", "locked", "update", "billing"),
    *("invoice", "refund", "tax", "statement", "unauthorised", "unauthorized", "card", "paypal"),
    *("bitcoin", "crypto", "wallet", "parcel", "delivery", "customs", "identifier", "redeemed"),
    *(
        "账户",
        "账号",
        "密码",
        "验证",
        "验证码",
        "冻结",
        "银行",
        "公安",
        "法院",
        "退款",
        "积分",
        "快递",
    ),
    *("身份证", "转账", "汇款", "客服", "异常"),
)
REPLY = (
    *("txt", "text", "reply", "call", "calls", "send", "stop", "unsubscribe", "opt out", "click"),
    *("visit", "www", "http", "dial", "landline", "operator", "helpline", "sms", "mobile", "std"),
    *("ppm", "per min", "per week", "p/msg", "t&c", "t&cs", "terms", "conditions", "cs", "pobox"),
    *("po box", "box", "chat", "customer", "customers", "service", "services", "contact", "caller"),
    *(
        "回复",
        "退订",
        "点击",
        "链接",
        "拨打",
        "致电",
        "电话",
        "加微信",
        "微信",
        "加群",
        "扫码",
        "关注",
    ),
    *("咨询", "联系", "登录", "访问", "下载"),
)
INTIMACY = (
    *("sexy", "sex", "xxx", "adult", "adults", "hot", "horny", "babe", "babes", "girls", "dating"),
    *(
        "date",
        "singles",
        "flirt",
        "naked",
        "nude",
        "porn",
        "naughty",
        "fantasy",
        "admirer",
        "crush",
    ),
    *("secret", "lonely", "meet", "18+", "over 18"),
    *("美女", "约会", "交友", "同城", "成人", "激情", "裸聊", "单身", "寂寞", "上门"),
)
CONVERSATION = (
    *("i", "i'm", "im", "me", "my", "we", "he", "she", "him", "her", "lol", "haha", "ok", "okay"),
    *("yeah", "yes", "no", "hey", "thanks", "sorry", "love", "home", "later", "tomorrow", "dinner"),
    *("lunch", "mum", "dad", "bro", "dear", "going", "coming", "think", "know", "what", "where"),
    *(
        "我",
        "我们",
        "你",
        "他",
        "她",
        "吗",
        "呢",
        "吧",
        "哈哈",
        "嗯",
        "好的",
        "谢谢",
        "回家",
        "吃饭",
    ),
    *("明天见", "晚安", "妈妈", "爸爸"),
)
"""What people say to people they know: it speaks against spam."""


def pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    """One that finds any of the words: whole ones, but Chinese anywhere, as it has no spaces."""
    apart = sorted((w for w in words if w.isascii()), key=len, reverse=True)
    inside = sorted((w for w in words if not w.isascii()), key=len, reverse=True)
    whole = "|".join(map(re.escape, apart))
    return re.compile(rf"(?<![\w])(?:{whole})(?![\w])|{'|'.join(inside)}", re.IGNORECASE)
