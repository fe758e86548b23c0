r"""Kinds of replies on which users of verifiers reported wrong grades, in cases made up for this project.

Each row is (kind, task, gold, replies that are right, replies that are wrong); `boxed` puts bare answers in a box.
"""

BOXED = [
    ("round brackets", "aime2024", "204", ["(204)", "[204]", r"\textbf{(204) }", r"\mathbf{204} "], ["(205)", "(2)(04)"]),
    ("round brackets", "gsm8k", "12", ["(12)", "(12) miles", r"\left(12\right)", "(12.0)"], ["(12", "(1, 2)", "f(12) + 1"]),
    ("fonts", "gsm8k", "31", [r"\boldsymbol{31}", r"\texttt{31}", r"\underline{\textbf{31}}", r"{\large 31}"], []),
    ("fonts", "gsm8k", "31", [r"\textcolor{green}{31}", r"\color{blue} 31", r"{\it 31}", r"\mathcal{31}"], [r"\mathbf{3}"]),
    ("fonts", "math500", r"2\pi", [r"\boldsymbol{2\pi}", r"{\bf 2\pi}", r"\textcolor{red}{2\pi}", r"\underline{2\pi}"], []),
    ("layout", "gsm8k", "60", [r"60 \hspace{2mm}", r"60 \tag{7}", r"\begin{aligned} 60 \end{aligned}", r"\quad 60 \\"], []),
    ("layout", "math500", r"\sqrt{7}", [r"\sqrt{7} \tag{3}", r"\begin{aligned} x &= \sqrt{7} \end{aligned}"], []),
    ("quotes", "gsm8k", "8", ['"8"', "'8'", "“8”", "`8`", "*8*", "__8__"], ["'8' or '9'"]),
    ("final marks", "gsm8k", "15", ["15,", "15;", "15 !", "15。", "15 dollars!", "15:"], ["15!", "15?6"]),
    ("currency", "gsm8k", "250", ["250 €", "US$250", "Rs 250", "£250.00", "250₹", "$250 each", r"\text{\$}250"], ["$2$50", "25¢"]),
    ("currency", "gsm8k", "40", ["40¢", r"40\text{¢}", "HK$40", "USD 40", "40 EUR"], ["$0.40", "4$0"]),
    ("units", "gsm8k", "9", ["9 m2", "9 km/h", r"9\ \mathrm{cm^3}", r"9 \text{ ft}^2/\text{s}", "9-mile", '9"'], ["9^2", "9 m 5"]),
    ("units", "gsm8k", "9", ["9 (marbles)", "9, marbles", "9 - marbles", "9 °F", r"9^\circ F", "9 children's toys"], []),
    ("units", "gsm8k", "9", ["9 red and blue marbles in all", "9 Stück", "9本"], ["9 and a half", "9 and ten"]),
    ("units", "gsm8k", "9", [r"\text{9 hours}", r"\text{She needs } 9 \text{ hours}", "9 slices of pizza for her friends"], []),
    ("minus signs", "gsm8k", "-14", ["‐14", "‒14", "―14", "{-}14", r"\text{−}14", "-$14", "$-14"], ["14", r"\text{minus one }14"]),
    ("minus signs", "math500", r"-\sqrt{2}", ["−\\sqrt{2}", "–\\sqrt{2}", "{-}\\sqrt{2}", "‑√2"], [r"\sqrt{2}"]),
    ("negated", "gsm8k", "16", [], [r"\text{not }16", "never 16", r"\text{minus }16", "no more than 16", r"x \ne 16"]),
    ("negated", "gsm8k", "16", [], [r"x \not= 16", "16 is wrong", r"\neg 16", "x =/= 16", r"\text{anything but }16"]),
    ("second value", "gsm8k", "16", [], ["x=15, y=16", "16 nor twelve", "16 versus 17", "16 to eighteen", "a = 16; b = 2"]),
    ("second value", "gsm8k", "16", [], ["15 = 16", "16 or so", "either 16", "between sixteen and 16", "16 / 17"]),
    ("second value", "gsm8k", "16", ["4 \\cdot 4 = 16", "10 + 6 = 16.0"], ["2=4=16", "16, or maybe 20", "16 ± 1", r"\pm 16"]),
    ("bounds", "gsm8k", "16", [], [r"\text{at most }16", "at least 16", r"\text{more than }16", "> 16", r"\geq 16", "under 16"]),
    ("worded arithmetic", "gsm8k", "16", [], ["16 plus three", "16 minus", "16 squared", "16 thirds", "16 tenths", "16 halves"]),
    ("worded arithmetic", "gsm8k", "16", [], ["twice 16", r"\text{half of }16", "16 divided by four", "16 out of twenty"]),
    ("scale words", "gsm8k", "300000", ["3 hundred thousand", "300 thousand", "0.3 million"], ["3 hundred", "300", "3 thousand"]),
    ("scale words", "gsm8k", "48", ["4 dozen"], ["48 dozen", "48 hundredths"]),
    ("scale words", "math500", "7000000", ["7 million", r"7\text{ million people}"], [r"7\text{ thousand}", "7"]),
    ("scale words", "math500", "7", [], ["7 million", r"7\text{ billion}", r"7\text{ dozen}"]),
    ("powers", "math500", "81", ["3**4", "3^4", "9**2"], ["3**3", "34"]),
    ("powers", "math500", "x^3-2", ["x**3 - 2", "x³-2", "-2+x**3"], ["x**2-2", "x3-2"]),
    ("powers", "gsm8k", "34", [], ["3**4", "3^4", "3⁴", "3$4"]),
    ("commas", "gsm8k", "222", ["222"], ["0,222", "00,222", "0222,0", "2,22"]),
    ("commas", "math500", "0,250", ["250, 0", "0, 250"], ["250", "0.25"]),
    ("commas", "math500", "120,240,360", ["360, 240, 120", "120, 240, 360", "240,120,360"], ["120,240", "120,240,361"]),
    ("commas", "math500", "45,600", ["45600", r"45{,}600", r"45\,600", r"45,\!600"], ["45.6", "456", "45, 60"]),
    ("mixed numbers", "gsm8k", "3.25", ["3¼", r"3+\frac{1}{4}", "3 1/4", r"3\tfrac14"], ["31/4", "¼", "3"]),
    ("mixed numbers", "gsm8k", "0.75", ["¾", "3/4", r"\frac{3}{4}"], ["¼", "7½"]),
    ("repeating", "math500", r"\frac{2}{3}", [r"0.\overline{6}", r"0.\bar{6}", r"0.6\overline{6}", "0.(6)"], [r"0.\overline{3}"]),
    ("repeating", "math500", r"\frac{5}{11}", [r"0.\overline{45}", r".\overline{45}"], [r"0.4\overline{5}", "0.45"]),
    ("repeating", "math500", r"1.\overline{2}", [r"\frac{11}{9}", r"1\frac{2}{9}", "1.2222222222"], ["1.2", r"\frac{6}{5}"]),
    ("repeating", "gsm8k", "2/3", [r"0.\overline{6}", "0.666..."], ["0.6", r"0.\overline{06}"]),
    ("printed floats", "gsm8k", "6.666666666666667", ["20/3", r"\frac{20}{3}"], ["6.67", "6", "7"]),
    ("tiny", "math500", r"\frac{1}{3^{50}}", [r"3^{-50}", r"\left(\frac13\right)^{50}"], [r"\frac{1}{3^{51}}", "0"]),
    ("tiny", "math500", r"\frac{\pi}{10^{30}}", [r"\pi \cdot 10^{-30}"], [r"\frac{\pi}{10^{31}}", r"3\pi \cdot 10^{-30}"]),
    ("tiny", "math500", r"\frac{1}{30!}", [], [r"\frac{1}{31!}", "0", r"\frac{2}{30!}"]),
    ("upper case", "math500", "P - p", [], ["0", "p - P", "2p"]),
    ("upper case", "math500", r"\frac{S}{s}", [r"S/s"], ["1", r"\frac{s}{S}"]),
    ("upper case", "math500", "Ab + aB", ["aB + Ab"], ["2ab", "ab + AB"]),
    ("matrix rows", "math500", r"\begin{pmatrix} 5 & 6 \\ 7 & 8 \end{pmatrix}",
     [r"\begin{pmatrix} 5 & 6 \\[2mm] 7 & 8 \end{pmatrix}", r"\begin{bmatrix} 5&6\\[0.5ex]7&8 \end{bmatrix}"],
     [r"\begin{pmatrix} 5 & 7 \\[2mm] 6 & 8 \end{pmatrix}"]),
    ("intervals", "math500", r"[3, \infty)", [r"x \ge 3", r"x \geq 3", r"3 \le x", r"\{x : x \ge 3\}"], ["x > 3", r"x \le 3"]),
    ("intervals", "math500", "(1,4]", [r"1 < x \le 4", r"x \in (1,4]", r"\{t \mid 1 < t \leq 4\}"], [r"1 \le x \le 4", r"1 < x < 4"]),
    ("intervals", "math500", r"(-\infty,-1)\cup(1,\infty)", [r"x<-1 \text{ or } x>1", r"x < -1, x > 1", r"x>1 \text{ or } x<-1"],
     [r"-1<x<1", r"x \le -1 \text{ or } x \ge 1", r"x>1"]),
    ("plain spelling", "math500", r"8\pi", ["8pi", "8*pi", "pi*8", "8 π", "8π cm"], ["8", "8p", "pi^8"]),
    ("plain spelling", "math500", r"5\sqrt{6}", ["5 sqrt(6)", "5*sqrt(6)", "5√6", "sqrt(150)", "5√(6)"], ["√6", "5√5"]),
    ("plain spelling", "math500", r"\cos 2x", ["cos(2x)", r"\cos(2x)"], ["cos(x)", "sin(2x)"]),
    ("plain spelling", "math500", r"\infty", ["∞", "infinity", r"+\infty"], [r"-\infty", "0"]),
    ("plain spelling", "math500", r"(-\infty, 4)", ["(-∞, 4)", "(-inf, 4)"], ["(∞, 4)", "(-∞, 4]"]),
    ("plain spelling", "math500", r"\frac{\pi}{6}", ["pi/6", "π/6", "(pi)/6"], ["pi/3", "6/pi"]),
    ("empty set", "math500", r"\emptyset", [r"\varnothing", r"\{\}", "∅"], ["0", r"\{0\}"]),
    ("bases", "math500", "312_4", ["(312)_4", r"312_{\text{4}}", "312_{4}"], ["312_5", "54", "213_4"]),
    ("bases", "math500", "1011_2", ["1011_{2}", "(1011)_2"], ["11", "1011_3"]),
    ("words", "math500", r"\text{Room 7}", ["Room 7", r"\text{Room }7"], ["7", "Room 8"]),
    ("words", "math500", r"\text{June 3}", ["June 3", r"\text{june 3}"], ["June 4", "3"]),
    ("words", "math500", "Friday", [r"\text{Friday}", "friday", "Friday."], ["Monday", r"\text{Saturday}"]),
    ("imaginary", "math500", "2-5i", [r"2-5\text{i}", r"2 - 5\mathrm{i}", "-5i+2", "2 + -5i"], ["2+5i", "-3i"]),
    ("hedges in LaTeX", "math500", "11", [], [r"\text{not }11", r"\text{negative } 11", r"11 \text{ (or 12)}", "12 = 11"]),
    ("hedges in LaTeX", "math500", "11", [], [r"11 \ldots", r"x \ne 11", "11, 12", r"\text{or } 11", r"\text{at least } 11"]),
]

REPLIES = [
    ("hash marks", "gsm8k", "36", ["9*4 = <<9*4=36>>36\n#### 36", "So 36.\n#### $36", "<answer>#### 36</answer>"],
     ["#### 35", "36\n#### 35", "#### 36\n#### 37", "#### 36 or 35"]),
    ("labels", "gsm8k", "36", ["Answer: 36", "The final answer: 36", "<answer>Final Answer: $36</answer>"],
     ["Answer: 35", "Answer: not 36", "<answer>Answer: 36 or 37</answer>", "Question: 36? Answer: 2"]),
    ("labels", "gsm8k", "36", ["<answer>Answer: 36 eggs a day</answer>", "<answer>**Answer:** 36</answer>"], []),
    ("box without braces", "gsm8k", "7", [r"<answer>\boxed 7</answer>", r"So it is $\boxed7$.", r"<answer>\boxed{{7}}</answer>"],
     [r"<answer>\boxed 8</answer>", r"<answer>\boxed{7} \boxed 8</answer>", r"\boxed{7} and then $\boxed 3$."]),
    ("escaped twice", "gsm8k", "7", ["<answer>\\\\boxed{7}</answer>", "\\\\boxed{7}"], ["\\\\boxed{8}"]),
    ("markdown", "gsm8k", "7", ["<answer>__7__</answer>", "<answer>`7`</answer>", "<answer>*7*</answer>"], ["<answer>*7*6</answer>"]),
    ("solutions", "aime2024", "64", [r"so $m+n=\boxed{\textbf{(064)}}$. ~A. Nonym", r"gives $60+4 = \boxed{\mathbf{64} }$"],
     [r"so $\boxed{\textbf{(65)}}$"]),
]


def boxed(answers: list[str]) -> list[str]:
    return [rf"<answer>\boxed{{{answer}}}</answer>" for answer in answers]


KINDS = [
    (kind, task, gold, reply, right)
    for rows, shape in ((BOXED, boxed), (REPLIES, list))
    for kind, task, gold, rights, wrongs in rows
    for replies, right in ((rights, True), (wrongs, False))
    for reply in shape(replies)
]
