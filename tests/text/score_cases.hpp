#pragma once
// Sentences of our own with their scores by sacreBLEU 2.6.0. Made by make_score_cases.py.
// clang-format off

#include <string>
#include <vector>

namespace heed_test {

struct BleuExpected {
  std::string tokenizer, smoothing;
  bool lowercase, effective_order;
  double score, brevity_penalty;
  std::vector<double> counts, totals, precisions, sentence_scores;
  std::string signature;
};
struct ChrfExpected {
  int char_order, word_order, beta;
  bool lowercase, whitespace, eps_smoothing;
  double score;
  std::vector<double> sentence_scores;
  std::string signature;
};
struct TerExpected {
  bool normalized, no_punct, asian_support, case_sensitive;
  double score;
  std::vector<double> sentence_scores;
  std::string signature;
};
struct TokenizedExpected {
  std::string tokenizer;
  std::vector<std::string> lines;  // of the hypotheses
};
struct ScoreCase {
  std::string name;
  std::vector<std::string> hypotheses;
  std::vector<std::vector<std::string>> references;
  std::vector<TokenizedExpected> tokenized;
  std::vector<BleuExpected> bleu;
  std::vector<ChrfExpected> chrf;
  std::vector<TerExpected> ter;
};

inline const std::vector<ScoreCase>& score_cases() {
  static const std::vector<ScoreCase> cases = {
  {"english",
   {"The kettle is boiling on the stove.", "We paid $3,450.75 (about 12% more) in 2019-2020.", "\"Don't wait,\" she said; nobody's coming.", "Rain fell all night long and all night long fell rain."},
   {{"The kettle boils on the stove.", "We paid $3,450.75, some 12% more, in 2019-20.", "\"Do not wait\", she said. Nobody is coming.", "All night long rain fell and rain fell all night long."}},
   {
    {"13a", {"The kettle is boiling on the stove .", "We paid $ 3,450.75 ( about 12 % more ) in 2019 - 2020 .", "\" Don't wait , \" she said ; nobody's coming .", "Rain fell all night long and all night long fell rain ."}},
    {"intl", {"The kettle is boiling on the stove .", "We paid $ 3,450.75 ( about 12 % more ) in 2019-2020.", "\" Don ' t wait , \" she said ; nobody ' s coming .", "Rain fell all night long and all night long fell rain ."}},
    {"zh", {"The kettle is boiling on the stove .", "We paid $ 3,450.75 ( about 12 % more ) in 2019 - 2020.", "\" Don't wait , \" she said ; nobody's coming .", "Rain fell all night long and all night long fell rain ."}},
    {"char", {"T h e   k e t t l e   i s   b o i l i n g   o n   t h e   s t o v e .", "W e   p a i d   $ 3 , 4 5 0 . 7 5   ( a b o u t   1 2 %   m o r e )   i n   2 0 1 9 - 2 0 2 0 .", "\" D o n ' t   w a i t , \"   s h e   s a i d ;   n o b o d y ' s   c o m i n g .", "R a i n   f e l l   a l l   n i g h t   l o n g   a n d   a l l   n i g h t   l o n g   f e l l   r a i n ."}},
    {"none", {"The kettle is boiling on the stove.", "We paid $3,450.75 (about 12% more) in 2019-2020.", "\"Don't wait,\" she said; nobody's coming.", "Rain fell all night long and all night long fell rain."}},
   },
   {
    {"13a", "exp", false, true, 26.91060480929235, 0.9784954614449577, {35.0, 17.0, 8.0, 3.0}, {46.0, 42.0, 38.0, 34.0}, {76.08695652173913, 40.476190476190474, 21.05263157894737, 8.823529411764707}, {41.11336169005198, 31.138788080750665, 10.51026268201345, 28.646290158800984}, "nrefs:1|case:mixed|eff:yes|tok:13a|smooth:exp|version:2.6.0"},
    {"intl", "exp", false, true, 24.586142350736434, 1.0, {32.0, 15.0, 7.0, 3.0}, {47.0, 43.0, 39.0, 35.0}, {68.08510638297872, 34.883720930232556, 17.94871794871795, 8.571428571428571}, {41.11336169005198, 31.702331385234313, 8.839374326825924, 28.646290158800984}, "nrefs:1|case:mixed|eff:yes|tok:intl|smooth:exp|version:2.6.0"},
    {"zh", "exp", false, true, 27.397174314680758, 0.9780228724846006, {34.0, 17.0, 8.0, 3.0}, {45.0, 41.0, 37.0, 33.0}, {75.55555555555556, 41.46341463414634, 21.62162162162162, 9.090909090909092}, {41.11336169005198, 32.85702044797774, 10.51026268201345, 28.646290158800984}, "nrefs:1|case:mixed|eff:yes|tok:zh|smooth:exp|version:2.6.0"},
    {"char", "exp", false, true, 70.8646629233105, 1.0, {131.0, 111.0, 94.0, 77.0}, {149.0, 145.0, 141.0, 137.0}, {87.91946308724832, 76.55172413793103, 66.66666666666667, 56.2043795620438}, {70.61671023252111, 68.88965006880201, 63.641896784057394, 78.2047511539267}, "nrefs:1|case:mixed|eff:yes|tok:char|smooth:exp|version:2.6.0"},
    {"none", "exp", false, true, 12.680419518370124, 0.9692332344763441, {18.0, 7.0, 2.0, 0.0}, {32.0, 28.0, 24.0, 20.0}, {56.25, 25.0, 8.333333333333334, 2.5}, {30.739407647563215, 13.134549472120788, 6.916271812933183, 19.081654556856684}, "nrefs:1|case:mixed|eff:yes|tok:none|smooth:exp|version:2.6.0"},
    {"13a", "none", false, false, 26.91060480929235, 0.9784954614449577, {35.0, 17.0, 8.0, 3.0}, {46.0, 42.0, 38.0, 34.0}, {76.08695652173913, 40.476190476190474, 21.05263157894737, 8.823529411764707}, {41.11336169005198, 31.138788080750665, 0.0, 28.646290158800984}, "nrefs:1|case:mixed|eff:no|tok:13a|smooth:none|version:2.6.0"},
    {"13a", "floor", false, false, 26.91060480929235, 0.9784954614449577, {35.0, 17.0, 8.0, 3.0}, {46.0, 42.0, 38.0, 34.0}, {76.08695652173913, 40.476190476190474, 21.05263157894737, 8.823529411764707}, {41.11336169005198, 31.138788080750665, 5.589668689756617, 28.646290158800984}, "nrefs:1|case:mixed|eff:no|tok:13a|smooth:floor[0.10]|version:2.6.0"},
    {"13a", "add-k", false, false, 29.623054904369774, 0.9784954614449577, {35.0, 18.0, 9.0, 4.0}, {46.0, 43.0, 39.0, 35.0}, {76.08695652173913, 41.86046511627907, 23.076923076923077, 11.428571428571429}, {50.86989136546122, 38.28751601861108, 18.064802066050515, 37.09723313682505}, "nrefs:1|case:mixed|eff:no|tok:13a|smooth:add-k[1.00]|version:2.6.0"},
    {"13a", "exp", false, false, 26.91060480929235, 0.9784954614449577, {35.0, 17.0, 8.0, 3.0}, {46.0, 42.0, 38.0, 34.0}, {76.08695652173913, 40.476190476190474, 21.05263157894737, 8.823529411764707}, {41.11336169005198, 31.138788080750665, 10.51026268201345, 28.646290158800984}, "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"},
    {"intl", "exp", true, false, 29.684526468960183, 1.0, {35.0, 17.0, 9.0, 4.0}, {47.0, 43.0, 39.0, 35.0}, {74.46808510638297, 39.53488372093023, 23.076923076923077, 11.428571428571429}, {41.11336169005198, 31.702331385234313, 9.103526405546068, 46.92470064105599}, "nrefs:1|case:lc|eff:no|tok:intl|smooth:exp|version:2.6.0"},
   },
   {
    {6, 0, 2, false, false, false, 64.83308247751108, {71.02141720879142, 66.33152226401499, 51.52092044051248, 70.44694748750337}, "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:2.6.0"},
    {6, 2, 2, false, false, false, 60.93521841452419, {71.74846623271578, 60.2690099340191, 46.42301201191623, 67.79733182774874}, "nrefs:1|case:mixed|eff:yes|nc:6|nw:2|space:no|version:2.6.0"},
    {4, 0, 1, false, false, false, 73.63032961833494, {76.9663575490872, 72.11916699176211, 65.85664947797301, 79.09990841074222}, "nrefs:1|case:mixed|eff:yes|nc:4|nw:0|space:no|version:2.6.0"},
    {6, 0, 2, false, true, false, 69.9675211762675, {78.70539932748261, 69.93344261702657, 53.20902475726421, 77.86788379814648}, "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:yes|version:2.6.0"},
    {6, 0, 2, true, false, false, 66.96832509232325, {71.02141720879142, 66.33152226401499, 54.1161847192445, 75.27441015529503}, "nrefs:1|case:lc|eff:yes|nc:6|nw:0|space:no|version:2.6.0"},
    {6, 1, 2, false, false, true, 64.87348100996319, {72.7789282737115, 65.05218333227357, 50.318424416990986, 72.28785975119335}, "nrefs:1|case:mixed|eff:no|nc:6|nw:1|space:no|version:2.6.0"},
   },
   {
    {false, false, false, false, 51.515151515151516, {33.33333333333333, 50.0, 75.0, 45.45454545454545}, "nrefs:1|case:lc|tok:tercom|norm:no|punct:yes|asian:no|version:2.6.0"},
    {true, false, false, false, 29.78723404255319, {28.57142857142857, 26.666666666666668, 38.46153846153847, 25.0}, "nrefs:1|case:lc|tok:tercom|norm:yes|punct:yes|asian:no|version:2.6.0"},
    {true, false, true, false, 29.78723404255319, {28.57142857142857, 26.666666666666668, 38.46153846153847, 25.0}, "nrefs:1|case:lc|tok:tercom|norm:yes|punct:yes|asian:yes|version:2.6.0"},
    {false, true, true, true, 39.39393939393939, {33.33333333333333, 25.0, 50.0, 45.45454545454545}, "nrefs:1|case:mixed|tok:tercom|norm:no|punct:no|asian:yes|version:2.6.0"},
   }},
  {"french, two references",
   {"L'été, la mer est tiède.", "Où est-ce que vous allez ?", "ÉCOUTEZ LA PLUIE tomber"},
   {{"En été, la mer est tiède.", "Où allez-vous ?", "Écoutez la pluie tomber."},
    {"L'eau de mer est tiède l'été.", "Vous allez où ?", "Entends-tu tomber la pluie ?"}},
   {
    {"13a", {"L'été , la mer est tiède .", "Où est-ce que vous allez ?", "ÉCOUTEZ LA PLUIE tomber"}},
    {"intl", {"L ' été , la mer est tiède .", "Où est - ce que vous allez ?", "ÉCOUTEZ LA PLUIE tomber"}},
    {"zh", {"L'été , la mer est tiède .", "Où est-ce que vous allez ?", "ÉCOUTEZ LA PLUIE tomber"}},
    {"char", {"L ' é t é ,   l a   m e r   e s t   t i è d e .", "O ù   e s t - c e   q u e   v o u s   a l l e z   ?", "É C O U T E Z   L A   P L U I E   t o m b e r"}},
    {"none", {"L'été, la mer est tiède.", "Où est-ce que vous allez ?", "ÉCOUTEZ LA PLUIE tomber"}},
   },
   {
    {"13a", "exp", false, true, 41.14081637091976, 1.0, {10.0, 5.0, 4.0, 3.0}, {17.0, 14.0, 11.0, 8.0}, {58.8235294117647, 35.714285714285715, 36.36363636363637, 37.5}, {80.91067115702207, 10.682175159905853, 12.44023474812678}, "nrefs:2|case:mixed|eff:yes|tok:13a|smooth:exp|version:2.6.0"},
    {"intl", "exp", false, true, 43.33728840229129, 1.0, {15.0, 8.0, 5.0, 4.0}, {21.0, 18.0, 15.0, 12.0}, {71.42857142857143, 44.44444444444444, 33.333333333333336, 33.333333333333336}, {83.07018474412791, 8.25791079503452, 12.44023474812678}, "nrefs:2|case:mixed|eff:yes|tok:intl|smooth:exp|version:2.6.0"},
    {"zh", "exp", false, true, 41.14081637091976, 1.0, {10.0, 5.0, 4.0, 3.0}, {17.0, 14.0, 11.0, 8.0}, {58.8235294117647, 35.714285714285715, 36.36363636363637, 37.5}, {80.91067115702207, 10.682175159905853, 12.44023474812678}, "nrefs:2|case:mixed|eff:yes|tok:zh|smooth:exp|version:2.6.0"},
    {"char", "exp", false, true, 55.31182571099904, 1.0, {41.0, 33.0, 28.0, 25.0}, {61.0, 58.0, 55.0, 52.0}, {67.21311475409836, 56.89655172413793, 50.90909090909091, 48.07692307692308}, {97.09835434146471, 43.00707823114161, 24.111227980147206}, "nrefs:2|case:mixed|eff:yes|tok:char|smooth:exp|version:2.6.0"},
    {"none", "exp", false, true, 26.50902429223502, 1.0, {8.0, 3.0, 2.0, 1.0}, {15.0, 12.0, 9.0, 6.0}, {53.333333333333336, 25.0, 22.22222222222222, 16.666666666666668}, {54.75182535069452, 10.682175159905853, 15.97357760615681}, "nrefs:2|case:mixed|eff:yes|tok:none|smooth:exp|version:2.6.0"},
    {"13a", "none", false, false, 41.14081637091976, 1.0, {10.0, 5.0, 4.0, 3.0}, {17.0, 14.0, 11.0, 8.0}, {58.8235294117647, 35.714285714285715, 36.36363636363637, 37.5}, {80.91067115702207, 0.0, 0.0}, "nrefs:2|case:mixed|eff:no|tok:13a|smooth:none|version:2.6.0"},
    {"13a", "floor", false, false, 41.14081637091976, 1.0, {10.0, 5.0, 4.0, 3.0}, {17.0, 14.0, 11.0, 8.0}, {58.8235294117647, 35.714285714285715, 36.36363636363637, 37.5}, {80.91067115702207, 5.372849659117709, 6.257106818159156}, "nrefs:2|case:mixed|eff:no|tok:13a|smooth:floor[0.10]|version:2.6.0"},
    {"13a", "add-k", false, false, 45.688229377129126, 1.0, {10.0, 6.0, 5.0, 4.0}, {17.0, 15.0, 12.0, 9.0}, {58.8235294117647, 40.0, 41.666666666666664, 44.44444444444444}, {83.65728971367442, 25.40663740773073, 24.880469496253564}, "nrefs:2|case:mixed|eff:no|tok:13a|smooth:add-k[1.00]|version:2.6.0"},
    {"13a", "exp", false, false, 41.14081637091976, 1.0, {10.0, 5.0, 4.0, 3.0}, {17.0, 14.0, 11.0, 8.0}, {58.8235294117647, 35.714285714285715, 36.36363636363637, 37.5}, {80.91067115702207, 10.682175159905853, 12.44023474812678}, "nrefs:2|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"},
    {"intl", "exp", true, false, 59.694917920196445, 1.0, {18.0, 12.0, 8.0, 5.0}, {21.0, 18.0, 15.0, 12.0}, {85.71428571428571, 66.66666666666667, 53.333333333333336, 41.666666666666664}, {86.94417438899828, 13.888095170058955, 77.88007830714052}, "nrefs:2|case:lc|eff:no|tok:intl|smooth:exp|version:2.6.0"},
   },
   {
    {6, 0, 2, false, false, false, 52.35570934750561, {88.46075564728815, 49.95183465371271, 19.21185982568521}, "nrefs:2|case:mixed|eff:yes|nc:6|nw:0|space:no|version:2.6.0"},
    {6, 2, 2, false, false, false, 50.387544391811446, {85.19989754471695, 43.213546092869834, 17.02272951629934}, "nrefs:2|case:mixed|eff:yes|nc:6|nw:2|space:no|version:2.6.0"},
    {4, 0, 1, false, false, false, 53.502365524031816, {89.14946680426556, 46.07185552978084, 24.63801848351804}, "nrefs:2|case:mixed|eff:yes|nc:4|nw:0|space:no|version:2.6.0"},
    {6, 0, 2, false, true, false, 55.72311422586831, {87.36972023199777, 55.35774674359576, 22.7148734983288}, "nrefs:2|case:mixed|eff:yes|nc:6|nw:0|space:yes|version:2.6.0"},
    {6, 0, 2, true, false, false, 84.91236419032718, {88.46075564728815, 61.54472124400363, 95.59018445666324}, "nrefs:2|case:lc|eff:yes|nc:6|nw:0|space:no|version:2.6.0"},
    {6, 1, 2, false, false, true, 52.43706851080189, {86.8125158295437, 49.236686159346256, 19.44344412820968}, "nrefs:2|case:mixed|eff:no|nc:6|nw:1|space:no|version:2.6.0"},
   },
   {
    {false, false, false, false, 42.857142857142854, {33.33333333333333, 85.71428571428571, 22.22222222222222}, "nrefs:2|case:lc|tok:tercom|norm:no|punct:yes|asian:no|version:2.6.0"},
    {true, false, false, false, 37.5, {26.666666666666668, 85.71428571428571, 20.0}, "nrefs:2|case:lc|tok:tercom|norm:yes|punct:yes|asian:no|version:2.6.0"},
    {true, false, true, false, 37.5, {26.666666666666668, 85.71428571428571, 20.0}, "nrefs:2|case:lc|tok:tercom|norm:yes|punct:yes|asian:yes|version:2.6.0"},
    {false, true, true, true, 72.0, {33.33333333333333, 160.0, 75.0}, "nrefs:2|case:mixed|tok:tercom|norm:no|punct:no|asian:yes|version:2.6.0"},
   }},
  {"chinese",
   {"水在炉子上烧开了。", "我们付了3450.75元，多了12%。", "“别等了，”她说。", "下了一整夜的雨"},
   {{"炉子上的水烧开了。", "我们付了 3,450.75 元（约多 12%）。", "她说：“别等了。”", "雨下了一整夜。"}},
   {
    {"13a", {"水在炉子上烧开了。", "我们付了3450.75元，多了12 % 。", "“别等了，”她说。", "下了一整夜的雨"}},
    {"intl", {"水在炉子上烧开了 。", "我们付了3450.75元 ， 多了12 % 。", "“ 别等了 ， ” 她说 。", "下了一整夜的雨"}},
    {"zh", {"水 在 炉 子 上 烧 开 了 。", "我 们 付 了 3450.75 元 ， 多 了 12 % 。", "“ 别 等 了 ， ” 她 说 。", "下 了 一 整 夜 的 雨"}},
    {"char", {"水 在 炉 子 上 烧 开 了 。", "我 们 付 了 3 4 5 0 . 7 5 元 ， 多 了 1 2 % 。", "“ 别 等 了 ， ” 她 说 。", "下 了 一 整 夜 的 雨"}},
    {"none", {"水在炉子上烧开了。", "我们付了3450.75元，多了12%。", "“别等了，”她说。", "下了一整夜的雨"}},
   },
   {
    {"13a", "exp", false, true, 13.246333389714406, 0.6065306597126334, {1.0, 0.0, 0.0, 0.0}, {6.0, 2.0, 1.0, 0.0}, {16.666666666666668, 25.0, 25.0, 0.0}, {0.0, 10.122592925934278, 0.0, 0.0}, "nrefs:1|case:mixed|eff:yes|tok:13a|smooth:exp|version:2.6.0"},
    {"intl", "exp", false, true, 8.362686338363433, 0.6996725373751302, {8.0, 1.0, 0.0, 0.0}, {14.0, 10.0, 7.0, 5.0}, {57.142857142857146, 10.0, 7.142857142857143, 5.0}, {49.99999999999999, 5.70796903405875, 20.412414523193146, 0.0}, "nrefs:1|case:mixed|eff:yes|tok:intl|smooth:exp|version:2.6.0"},
    {"zh", "exp", false, true, 40.429097675516516, 0.9733349348192527, {31.0, 17.0, 10.0, 5.0}, {37.0, 33.0, 29.0, 25.0}, {83.78378378378379, 51.515151515151516, 34.48275862068966, 20.0}, {44.632361378533304, 25.670705659941795, 38.14165616365676, 64.34588841607616}, "nrefs:1|case:mixed|eff:yes|tok:zh|smooth:exp|version:2.6.0"},
    {"char", "exp", false, true, 51.095357163442465, 0.9555630362682843, {39.0, 25.0, 17.0, 10.0}, {44.0, 40.0, 36.0, 32.0}, {88.63636363636364, 62.5, 47.22222222222222, 31.25}, {44.632361378533304, 52.800984551961896, 38.14165616365676, 64.34588841607616}, "nrefs:1|case:mixed|eff:yes|tok:char|smooth:exp|version:2.6.0"},
    {"none", "exp", false, true, 0.0, 0.4723665527410147, {0.0, 0.0, 0.0, 0.0}, {4.0, 0.0, 0.0, 0.0}, {0.0, 0.0, 0.0, 0.0}, {0.0, 0.0, 0.0, 0.0}, "nrefs:1|case:mixed|eff:yes|tok:none|smooth:exp|version:2.6.0"},
    {"13a", "none", false, false, 0.0, 0.6065306597126334, {1.0, 0.0, 0.0, 0.0}, {6.0, 2.0, 1.0, 0.0}, {16.666666666666668, 0.0, 0.0, 0.0}, {0.0, 0.0, 0.0, 0.0}, "nrefs:1|case:mixed|eff:no|tok:13a|smooth:none|version:2.6.0"},
    {"13a", "floor", false, false, 0.0, 0.6065306597126334, {1.0, 0.0, 0.0, 0.0}, {6.0, 2.0, 1.0, 0.0}, {16.666666666666668, 5.0, 10.0, 0.0}, {0.0, 0.0, 0.0, 0.0}, "nrefs:1|case:mixed|eff:no|tok:13a|smooth:floor[0.10]|version:2.6.0"},
    {"13a", "add-k", false, false, 24.76151049416017, 0.6065306597126334, {1.0, 1.0, 1.0, 1.0}, {6.0, 3.0, 2.0, 1.0}, {16.666666666666668, 33.333333333333336, 50.0, 100.0}, {0.0, 17.860244166902365, 0.0, 0.0}, "nrefs:1|case:mixed|eff:no|tok:13a|smooth:add-k[1.00]|version:2.6.0"},
    {"13a", "exp", false, false, 0.0, 0.6065306597126334, {1.0, 0.0, 0.0, 0.0}, {6.0, 2.0, 1.0, 0.0}, {16.666666666666668, 25.0, 25.0, 0.0}, {0.0, 0.0, 0.0, 0.0}, "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"},
    {"intl", "exp", true, false, 8.362686338363433, 0.6996725373751302, {8.0, 1.0, 0.0, 0.0}, {14.0, 10.0, 7.0, 5.0}, {57.142857142857146, 10.0, 7.142857142857143, 5.0}, {0.0, 5.70796903405875, 20.412414523193146, 0.0}, "nrefs:1|case:lc|eff:no|tok:intl|smooth:exp|version:2.6.0"},
   },
   {
    {6, 0, 2, false, false, false, 40.88407750166178, {35.1521164021164, 43.85787988009807, 30.687830687830687, 49.28571428571429}, "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:2.6.0"},
    {6, 2, 2, false, false, false, 35.04349500142438, {30.130385487528343, 37.5924684686555, 26.303854875283445, 42.244897959183675}, "nrefs:1|case:mixed|eff:yes|nc:6|nw:2|space:no|version:2.6.0"},
    {4, 0, 1, false, false, false, 55.97324593202029, {52.72817460317461, 58.36357585530452, 46.03174603174603, 65.5952380952381}, "nrefs:1|case:mixed|eff:yes|nc:4|nw:0|space:no|version:2.6.0"},
    {6, 0, 2, false, true, false, 34.36683638402545, {35.1521164021164, 31.46526723767307, 30.687830687830687, 49.28571428571429}, "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:yes|version:2.6.0"},
    {6, 0, 2, true, false, false, 40.88407750166178, {35.1521164021164, 43.85787988009807, 30.687830687830687, 49.28571428571429}, "nrefs:1|case:lc|eff:yes|nc:6|nw:0|space:no|version:2.6.0"},
    {6, 1, 2, false, false, true, 35.04307603526728, {30.130385487528347, 37.591952266908955, 26.303854875283445, 42.244897959183675}, "nrefs:1|case:mixed|eff:no|nc:6|nw:1|space:no|version:2.6.0"},
   },
   {
    {false, false, false, false, 100.0, {100.0, 100.0, 100.0, 100.0}, "nrefs:1|case:lc|tok:tercom|norm:no|punct:yes|asian:no|version:2.6.0"},
    {true, false, false, false, 88.88888888888889, {100.0, 83.33333333333334, 100.0, 100.0}, "nrefs:1|case:lc|tok:tercom|norm:yes|punct:yes|asian:no|version:2.6.0"},
    {true, false, true, false, 36.84210526315789, {33.33333333333333, 38.46153846153847, 44.44444444444444, 28.57142857142857}, "nrefs:1|case:lc|tok:tercom|norm:yes|punct:yes|asian:yes|version:2.6.0"},
    {false, true, true, true, 100.0, {100.0, 100.0, 100.0, 100.0}, "nrefs:1|case:mixed|tok:tercom|norm:no|punct:no|asian:yes|version:2.6.0"},
   }},
  {"odd lines",
   {"", "Go", "a b", "same same same same same", "  spaced   out　words ", "", "Tom &amp; Ann &lt;3 .5 ..7"},
   {{"Nothing was said.", "Go", "b a", "same", "spaced out words", "", "Tom & Ann <3 .5 . . 7"}},
   {
    {"13a", {"", "Go", "a b", "same same same same same", "spaced out words", "", "Tom & Ann < 3 . 5 . .7"}},
    {"intl", {"", "Go", "a b", "same same same same same", "spaced out words", "", "Tom & amp ; Ann & lt ; 3 . 5 . .7"}},
    {"zh", {"", "Go", "a b", "same same same same same", "spaced out words", "", "Tom & amp ; Ann & lt ; 3 . 5 . .7"}},
    {"char", {"", "G o", "a   b", "s a m e   s a m e   s a m e   s a m e   s a m e", "    s p a c e d       o u t 　 w o r d s", "", "T o m   & a m p ;   A n n   & l t ; 3   . 5   . . 7"}},
    {"none", {"", "Go", "a b", "same same same same same", "  spaced   out　words", "", "Tom &amp; Ann &lt;3 .5 ..7"}},
   },
   {
    {"13a", "exp", false, true, 61.87065979407966, 0.951229424500714, {15.0, 9.0, 7.0, 5.0}, {20.0, 15.0, 11.0, 8.0}, {75.0, 60.0, 63.63636363636363, 62.5}, {0.0, 100.00000000000004, 70.71067811865478, 10.682175159905848, 100.00000000000004, 0.0, 77.25505949016376}, "nrefs:1|case:mixed|eff:yes|tok:13a|smooth:exp|version:2.6.0"},
    {"intl", "exp", false, true, 23.53915118485882, 1.0, {14.0, 6.0, 3.0, 1.0}, {24.0, 19.0, 15.0, 12.0}, {58.333333333333336, 31.57894736842105, 20.0, 8.333333333333334}, {0.0, 100.00000000000004, 70.71067811865478, 10.682175159905848, 100.00000000000004, 0.0, 23.90108882452814}, "nrefs:1|case:mixed|eff:yes|tok:intl|smooth:exp|version:2.6.0"},
    {"zh", "exp", false, true, 23.53915118485882, 1.0, {14.0, 6.0, 3.0, 1.0}, {24.0, 19.0, 15.0, 12.0}, {58.333333333333336, 31.57894736842105, 20.0, 8.333333333333334}, {0.0, 100.00000000000004, 70.71067811865478, 10.682175159905848, 100.00000000000004, 0.0, 23.90108882452814}, "nrefs:1|case:mixed|eff:yes|tok:zh|smooth:exp|version:2.6.0"},
    {"char", "exp", false, true, 45.85564965870742, 1.0, {35.0, 27.0, 21.0, 16.0}, {59.0, 54.0, 49.0, 46.0}, {59.32203389830509, 50.0, 42.857142857142854, 34.78260869565217}, {0.0, 100.00000000000004, 70.71067811865478, 11.986062961075742, 100.00000000000004, 0.0, 39.898493411026585}, "nrefs:1|case:mixed|eff:yes|tok:char|smooth:exp|version:2.6.0"},
    {"none", "exp", false, true, 17.641305712729434, 0.9428731438548749, {10.0, 2.0, 1.0, 0.0}, {17.0, 12.0, 8.0, 5.0}, {58.8235294117647, 16.666666666666668, 12.5, 10.0}, {0.0, 100.00000000000004, 70.71067811865478, 10.682175159905848, 100.00000000000004, 0.0, 7.654112967106117}, "nrefs:1|case:mixed|eff:yes|tok:none|smooth:exp|version:2.6.0"},
    {"13a", "none", false, false, 61.87065979407966, 0.951229424500714, {15.0, 9.0, 7.0, 5.0}, {20.0, 15.0, 11.0, 8.0}, {75.0, 60.0, 63.63636363636363, 62.5}, {0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 77.25505949016376}, "nrefs:1|case:mixed|eff:no|tok:13a|smooth:none|version:2.6.0"},
    {"13a", "floor", false, false, 61.87065979407966, 0.951229424500714, {15.0, 9.0, 7.0, 5.0}, {20.0, 15.0, 11.0, 8.0}, {75.0, 60.0, 63.63636363636363, 62.5}, {0.0, 0.0, 0.0, 5.37284965911771, 0.0, 0.0, 77.25505949016376}, "nrefs:1|case:mixed|eff:no|tok:13a|smooth:floor[0.10]|version:2.6.0"},
    {"13a", "add-k", false, false, 64.26506728211851, 0.951229424500714, {15.0, 10.0, 8.0, 6.0}, {20.0, 16.0, 12.0, 9.0}, {75.0, 62.5, 66.66666666666667, 66.66666666666667}, {0.0, 100.00000000000004, 84.08964152537145, 24.028114141347533, 100.00000000000004, 0.0, 78.51165137517033}, "nrefs:1|case:mixed|eff:no|tok:13a|smooth:add-k[1.00]|version:2.6.0"},
    {"13a", "exp", false, false, 61.87065979407966, 0.951229424500714, {15.0, 9.0, 7.0, 5.0}, {20.0, 15.0, 11.0, 8.0}, {75.0, 60.0, 63.63636363636363, 62.5}, {0.0, 0.0, 0.0, 10.682175159905848, 0.0, 0.0, 77.25505949016376}, "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"},
    {"intl", "exp", true, false, 23.53915118485882, 1.0, {14.0, 6.0, 3.0, 1.0}, {24.0, 19.0, 15.0, 12.0}, {58.333333333333336, 31.57894736842105, 20.0, 8.333333333333334}, {0.0, 0.0, 0.0, 10.682175159905848, 0.0, 0.0, 23.90108882452814}, "nrefs:1|case:lc|eff:no|tok:intl|smooth:exp|version:2.6.0"},
   },
   {
    {6, 0, 2, false, false, false, 49.30159364122799, {0.0, 100.0, 50.0, 43.18458143828522, 100.0, 0.0, 44.270210363543754}, "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:2.6.0"},
    {6, 2, 2, false, false, false, 48.252023111863366, {0.0, 100.0, 50.0, 45.999252115382944, 100.0, 0.0, 43.784212989772115}, "nrefs:1|case:mixed|eff:yes|nc:6|nw:2|space:no|version:2.6.0"},
    {4, 0, 1, false, false, false, 51.38196884280263, {0.0, 100.0, 50.0, 23.314896979274298, 100.0, 0.0, 51.92078385305899}, "nrefs:1|case:mixed|eff:yes|nc:4|nw:0|space:no|version:2.6.0"},
    {6, 0, 2, false, true, false, 35.74486001423659, {0.0, 100.0, 33.33333333333333, 37.93018682399214, 56.58730811079904, 0.0, 43.113469941198346}, "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:yes|version:2.6.0"},
    {6, 0, 2, true, false, false, 51.07328387771077, {0.0, 100.0, 50.0, 43.18458143828522, 100.0, 0.0, 49.480054769155615}, "nrefs:1|case:lc|eff:yes|nc:6|nw:0|space:no|version:2.6.0"},
    {6, 1, 2, false, false, true, 50.94267259106401, {0.0, 42.857142857142854, 28.571428571428573, 31.681324308052417, 100.0, 1.0000000000000003e-14, 46.50230623011638}, "nrefs:1|case:mixed|eff:no|nc:6|nw:1|space:no|version:2.6.0"},
   },
   {
    {false, false, false, false, 72.22222222222221, {100.0, 0.0, 50.0, 400.0, 0.0, 0.0, 62.5}, "nrefs:1|case:lc|tok:tercom|norm:no|punct:yes|asian:no|version:2.6.0"},
    {true, false, false, false, 52.38095238095239, {100.0, 0.0, 50.0, 400.0, 0.0, 0.0, 20.0}, "nrefs:1|case:lc|tok:tercom|norm:yes|punct:yes|asian:no|version:2.6.0"},
    {true, false, true, false, 52.38095238095239, {100.0, 0.0, 50.0, 400.0, 0.0, 0.0, 20.0}, "nrefs:1|case:lc|tok:tercom|norm:yes|punct:yes|asian:yes|version:2.6.0"},
    {false, true, true, true, 62.5, {100.0, 0.0, 50.0, 400.0, 0.0, 0.0, 33.33333333333333}, "nrefs:1|case:mixed|tok:tercom|norm:no|punct:no|asian:yes|version:2.6.0"},
   }},
  {"scripts",
   {"ΟΔΟΣ και Σοφία", "Straße – 10 €/kg", "日本語テスト・（仮）", "naïve café ½ → ¾", "I❤️NY 😀!"},
   {{"Οδός και σοφία", "Strasse - 10€ / kg", "日本語のテスト（仮）。", "naïve café ½ → 3/4", "I ❤️ NY 😀."}},
   {
    {"13a", {"ΟΔΟΣ και Σοφία", "Straße – 10 € / kg", "日本語テスト・（仮）", "naïve café ½ → ¾", "I❤️NY 😀 !"}},
    {"intl", {"ΟΔΟΣ και Σοφία", "Straße – 10 € / kg", "日本語テスト ・ （ 仮 ）", "naïve café ½ → ¾", "I ❤ ️NY 😀 !"}},
    {"zh", {"ΟΔΟΣ και Σοφία", "Straße – 10 € / kg", "日 本 語 テスト・ （ 仮 ）", "naïve café ½ → ¾", "I ❤ ️NY 😀 !"}},
    {"char", {"Ο Δ Ο Σ   κ α ι   Σ ο φ ί α", "S t r a ß e   –   1 0   € / k g", "日 本 語 テ ス ト ・ （ 仮 ）", "n a ï v e   c a f e ́   ½   →   ¾", "I ❤ ️ N Y   😀 !"}},
    {"none", {"ΟΔΟΣ και Σοφία", "Straße – 10 €/kg", "日本語テスト・（仮）", "naïve café ½ → ¾", "I❤️NY 😀!"}},
   },
   {
    {"13a", "exp", false, true, 9.611031612381419, 0.846481724890614, {7.0, 2.0, 0.0, 0.0}, {18.0, 13.0, 9.0, 5.0}, {38.888888888888886, 15.384615384615385, 5.555555555555555, 5.0}, {27.516060407455225, 16.233395773754953, 0.0, 15.848738972120703, 14.127216461522432}, "nrefs:1|case:mixed|eff:yes|tok:13a|smooth:exp|version:2.6.0"},
    {"intl", "exp", false, true, 25.65413538067039, 0.9591894571091382, {14.0, 7.0, 3.0, 1.0}, {24.0, 19.0, 14.0, 9.0}, {58.333333333333336, 36.8421052631579, 21.428571428571427, 11.11111111111111}, {27.516060407455225, 50.81327481546149, 39.76353643835252, 23.643540225079384, 19.3576934939088}, "nrefs:1|case:mixed|eff:yes|tok:intl|smooth:exp|version:2.6.0"},
    {"zh", "exp", false, true, 24.22127453714628, 0.8574039191604413, {17.0, 9.0, 4.0, 1.0}, {26.0, 21.0, 16.0, 11.0}, {65.38461538461539, 42.857142857142854, 25.0, 9.090909090909092}, {27.516060407455225, 50.81327481546149, 35.640264633541825, 15.848738972120703, 19.3576934939088}, "nrefs:1|case:mixed|eff:yes|tok:zh|smooth:exp|version:2.6.0"},
    {"char", "exp", false, true, 50.57106297229238, 0.9469154662674888, {44.0, 32.0, 22.0, 13.0}, {55.0, 50.0, 45.0, 40.0}, {80.0, 64.0, 48.888888888888886, 32.5}, {31.702331385234313, 54.844980922047604, 32.21693140510759, 56.6260439529554, 80.91067115702207}, "nrefs:1|case:mixed|eff:yes|tok:char|smooth:exp|version:2.6.0"},
    {"none", "exp", false, true, 9.5508640596494, 0.8187307530779819, {4.0, 1.0, 0.0, 0.0}, {15.0, 10.0, 6.0, 3.0}, {26.666666666666668, 10.0, 8.333333333333334, 8.333333333333334}, {27.516060407455225, 0.0, 0.0, 23.643540225079384, 0.0}, "nrefs:1|case:mixed|eff:yes|tok:none|smooth:exp|version:2.6.0"},
    {"13a", "none", false, false, 0.0, 0.846481724890614, {7.0, 2.0, 0.0, 0.0}, {18.0, 13.0, 9.0, 5.0}, {38.888888888888886, 15.384615384615385, 0.0, 0.0}, {0.0, 0.0, 0.0, 0.0, 0.0}, "nrefs:1|case:mixed|eff:no|tok:13a|smooth:none|version:2.6.0"},
    {"13a", "floor", false, false, 5.111430998953669, 0.846481724890614, {7.0, 2.0, 0.0, 0.0}, {18.0, 13.0, 9.0, 5.0}, {38.888888888888886, 15.384615384615385, 1.1111111111111112, 2.0}, {0.0, 8.633400213704508, 0.0, 8.428828344718168, 0.0}, "nrefs:1|case:mixed|eff:no|tok:13a|smooth:floor[0.10]|version:2.6.0"},
    {"13a", "add-k", false, false, 16.341219448835542, 0.846481724890614, {7.0, 3.0, 1.0, 1.0}, {18.0, 14.0, 10.0, 6.0}, {38.888888888888886, 21.428571428571427, 10.0, 16.666666666666668}, {48.54917717073236, 27.301208627090666, 0.0, 25.2080763847944, 24.925978674400294}, "nrefs:1|case:mixed|eff:no|tok:13a|smooth:add-k[1.00]|version:2.6.0"},
    {"13a", "exp", false, false, 9.611031612381419, 0.846481724890614, {7.0, 2.0, 0.0, 0.0}, {18.0, 13.0, 9.0, 5.0}, {38.888888888888886, 15.384615384615385, 5.555555555555555, 5.0}, {0.0, 16.233395773754953, 0.0, 15.848738972120703, 0.0}, "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"},
    {"intl", "exp", true, false, 26.986475903895812, 0.9591894571091382, {15.0, 8.0, 3.0, 1.0}, {24.0, 19.0, 14.0, 9.0}, {62.5, 42.10526315789474, 21.428571428571427, 11.11111111111111}, {0.0, 50.81327481546149, 39.76353643835252, 23.643540225079384, 19.3576934939088}, "nrefs:1|case:lc|eff:no|tok:intl|smooth:exp|version:2.6.0"},
   },
   {
    {6, 0, 2, false, false, false, 41.93759433040658, {25.53872053872054, 43.64531187729547, 29.775107007676255, 51.17069526518976, 73.45238095238095}, "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:2.6.0"},
    {6, 2, 2, false, false, false, 35.79207552789227, {23.32070707070707, 32.7339839079716, 25.521520292293925, 49.013290174659765, 57.91507619817297}, "nrefs:1|case:mixed|eff:yes|nc:6|nw:2|space:no|version:2.6.0"},
    {4, 0, 1, false, false, false, 54.66288916314871, {38.30808080808081, 58.93849297524068, 46.04239316239316, 59.46766094641854, 81.01190476190476}, "nrefs:1|case:mixed|eff:yes|nc:4|nw:0|space:no|version:2.6.0"},
    {6, 0, 2, false, true, false, 36.34906061696998, {34.03568653568654, 24.632548334772824, 29.775107007676255, 57.02607236438637, 26.820526014294373}, "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:yes|version:2.6.0"},
    {6, 0, 2, true, false, false, 51.73903115689078, {71.63239538239537, 43.64531187729547, 29.775107007676255, 51.17069526518976, 73.45238095238095}, "nrefs:1|case:lc|eff:yes|nc:6|nw:0|space:no|version:2.6.0"},
    {6, 1, 2, false, false, true, 39.827717166220154, {26.65223665223665, 37.40949131723348, 25.52124746002297, 52.430679665839754, 66.06477373558118}, "nrefs:1|case:mixed|eff:no|nc:6|nw:1|space:no|version:2.6.0"},
   },
   {
    {false, false, false, false, 72.22222222222221, {33.33333333333333, 100.0, 100.0, 40.0, 100.0}, "nrefs:1|case:lc|tok:tercom|norm:no|punct:yes|asian:no|version:2.6.0"},
    {true, false, false, false, 66.66666666666666, {33.33333333333333, 80.0, 100.0, 57.14285714285714, 80.0}, "nrefs:1|case:lc|tok:tercom|norm:yes|punct:yes|asian:no|version:2.6.0"},
    {true, false, true, false, 57.14285714285714, {33.33333333333333, 80.0, 37.5, 57.14285714285714, 80.0}, "nrefs:1|case:lc|tok:tercom|norm:yes|punct:yes|asian:yes|version:2.6.0"},
    {false, true, true, true, 72.22222222222221, {66.66666666666666, 100.0, 100.0, 40.0, 75.0}, "nrefs:1|case:mixed|tok:tercom|norm:no|punct:no|asian:yes|version:2.6.0"},
   }},
  };
  return cases;
}

}  // namespace heed_test
