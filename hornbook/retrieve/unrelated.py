"""Sentences on many subjects, so that a question has little to do with nearly all of them.

How near the vector of any text is to a question differs between encoders, languages and questions;
these say what is nothing. Three languages; a fourth is told by the English ones.
"""

from collections.abc import Sequence

_SENTENCES = {
    "en": """
        The kettle boiled while the cat slept on the window sill.
        Two buses leave the village every morning before seven.
        She painted the fence green and left the gate as it was.
        The choir rehearses in the old school on Wednesdays.
        A heron stood in the shallow water without moving.
        The bread needs an hour to rise before it is baked.
        They climbed the tower to see the lights of the harbour.
        His bicycle has a new chain and two old tyres.
        The museum shows stone tools from the valley.
        Rain filled the barrel behind the shed overnight.
        The goalkeeper caught the ball with one hand.
        An orchestra of students played in the square.
        The planet takes eleven years to circle its star.
        Bees find their way home by the position of the sun.
        The film was shot in a factory that no longer stands.
        Grandmother kept her letters in a tin box.
        The glass is made of sand that is melted with soda.
        A carpenter measured the door twice and cut it once.
        The river freezes only in the coldest winters.
        Children drew a map of their street with chalk.
        The recipe asks for three eggs and a little salt.
        Snow closed the mountain road for a week in March.
        The astronomer wrote down what she saw each night.
        An old pump brings water from the well to the garden.
    """,
    "de": """
        Der Kessel kochte, während die Katze auf der Fensterbank schlief.
        Zwei Busse verlassen das Dorf jeden Morgen vor sieben.
        Sie strich den Zaun grün und ließ das Tor, wie es war.
        Der Chor probt mittwochs in der alten Schule.
        Ein Reiher stand reglos im flachen Wasser.
        Das Brot muss eine Stunde gehen, bevor es gebacken wird.
        Sie stiegen auf den Turm, um die Lichter des Hafens zu sehen.
        Sein Fahrrad hat eine neue Kette und zwei alte Reifen.
        Das Museum zeigt Werkzeuge aus Stein aus dem Tal.
        Der Regen füllte über Nacht das Fass hinter dem Schuppen.
        Der Torwart fing den Ball mit einer Hand.
        Ein Orchester aus Studenten spielte auf dem Platz.
        Der Planet braucht elf Jahre, um seinen Stern zu umkreisen.
        Bienen finden nach dem Stand der Sonne nach Hause.
        Der Film wurde in einer Fabrik gedreht, die nicht mehr steht.
        Großmutter bewahrte ihre Briefe in einer Blechdose auf.
        Das Glas besteht aus Sand, der mit Soda geschmolzen wird.
        Ein Tischler maß die Tür zweimal und sägte einmal.
        Der Fluss friert nur in den kältesten Wintern zu.
        Kinder zeichneten mit Kreide einen Plan ihrer Straße.
        Das Rezept verlangt drei Eier und ein wenig Salz.
        Schnee sperrte die Bergstraße im März für eine Woche.
        Die Astronomin schrieb jede Nacht auf, was sie sah.
        Eine alte Pumpe bringt Wasser vom Brunnen in den Garten.
    """,
    "zh": """
        水壶烧开的时候，猫正在窗台上睡觉。
        每天早上七点以前有两班公共汽车离开村子。
        她把篱笆漆成绿色，大门没有动。
        合唱团每周三在老学校排练。
        一只苍鹭一动不动地站在浅水里。
        面包要发酵一个小时才能烤。
        他们爬上塔楼去看港口的灯光。
        他的自行车换了新链条，轮胎还是旧的。
        博物馆展出山谷里出土的石器。
        一夜的雨把棚子后面的水桶装满了。
        守门员用一只手接住了球。
        学生乐团在广场上演奏。
        这颗行星绕恒星一周要十一年。
        蜜蜂靠太阳的位置找到回家的路。
        电影是在一座已经拆掉的工厂里拍的。
        奶奶把信收在一个铁盒子里。
        玻璃是用沙子和纯碱熔化而成的。
        木匠把门量了两次，只锯了一次。
        这条河只有在最冷的冬天才结冰。
        孩子们用粉笔画出了自己街道的地图。
        这道菜要三个鸡蛋和一点盐。
        三月的大雪把山路封了一个星期。
        天文学家每天夜里把看到的都记下来。
        一台旧水泵把井水送到花园里。
    """,
}


def unrelated(language: str) -> Sequence[str]:
    """The sentences, in a language by its ISO code or in English."""
    lines = _SENTENCES.get(language, _SENTENCES["en"]).strip().split("\n")
    return [line.strip() for line in lines]
