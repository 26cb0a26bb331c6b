#pragma once
// Texts of our own, with what subword-nmt 0.3.8 learns from them and makes of them. Made by make_byte_pair_cases.py.
// clang-format off

#include <cstdint>
#include <string>
#include <vector>

namespace heed_test {

struct SegmentedExpected {
  std::int64_t threshold;  // 0: no vocabulary; else pieces of the training text seen so often
  std::vector<std::string> training, unseen;
};
struct BytePairCase {
  std::string name;
  std::int64_t merges;
  std::vector<std::string> training, unseen;
  std::string file;
  std::vector<SegmentedExpected> segmented;
};

inline const std::vector<BytePairCase>& byte_pair_cases() {
  static const std::vector<BytePairCase> cases = {
  {"english", 30,
   {"the slower the river the lower the boats", "she lowered the newest boat and the newer boats", "lowest and slowest of the three rivers", "newly lower rivers slow the showers", "a banana and a bandana in the savanna"},
   {"the slowest savannas lowered newer boats x", "thermal  rowers"},
   "#version: 0.2\nt h\nw e\nth e</w>\na n\no we\nl owe\nv e\ns t</w>\nr s</w>\nr i\nri ve\no a\nn e\nlowe r</w>\nb oa\nan d</w>\nt s</w>\ns h\nrive rs</w>\nr e\nne we\nlowe st</w>\nboa ts</w>\nb an\nan a</w>\n",
   {
    {0, {"the s@@ lower the rive@@ r the lower the boats", "sh@@ e lowe@@ re@@ d the newe@@ st boa@@ t and the newe@@ r boats", "lowest and s@@ lowest o@@ f the th@@ re@@ e rivers", "ne@@ w@@ l@@ y lower rivers s@@ l@@ o@@ w the sh@@ owe@@ rs", "a ban@@ ana and a ban@@ d@@ ana i@@ n the s@@ a@@ v@@ an@@ n@@ a"},
     {"the s@@ lowest s@@ a@@ v@@ an@@ n@@ a@@ s lowe@@ re@@ d newe@@ r boats x", "th@@ e@@ r@@ m@@ a@@ l r@@ owe@@ rs"}},
    {2, {"the s@@ lower the r@@ i@@ v@@ e@@ r the lower the boats", "sh@@ e l@@ o@@ w@@ e@@ re@@ d the newe@@ s@@ t b@@ o@@ a@@ t and the newe@@ r boats", "lowest and s@@ lowest o@@ f the t@@ h@@ re@@ e rivers", "n@@ e@@ w@@ l@@ y lower rivers s@@ l@@ o@@ w the sh@@ o@@ w@@ e@@ r@@ s", "a ban@@ ana and a ban@@ d@@ ana i@@ n the s@@ a@@ v@@ a@@ n@@ n@@ a"},
     {"the s@@ lowest s@@ a@@ v@@ a@@ n@@ n@@ a@@ s l@@ o@@ w@@ e@@ re@@ d newe@@ r boats x", "t@@ h@@ e@@ r@@ m@@ a@@ l r@@ o@@ w@@ e@@ r@@ s"}},
    {3, {"the s@@ lower the r@@ i@@ v@@ e@@ r the lower the b@@ o@@ a@@ t@@ s", "s@@ h@@ e l@@ o@@ w@@ e@@ r@@ e@@ d the n@@ e@@ w@@ e@@ s@@ t b@@ o@@ a@@ t and the n@@ e@@ w@@ e@@ r b@@ o@@ a@@ t@@ s", "l@@ o@@ w@@ e@@ s@@ t and s@@ l@@ o@@ w@@ e@@ s@@ t o@@ f the t@@ h@@ r@@ e@@ e r@@ i@@ v@@ e@@ r@@ s", "n@@ e@@ w@@ l@@ y lower r@@ i@@ v@@ e@@ r@@ s s@@ l@@ o@@ w the s@@ h@@ o@@ w@@ e@@ r@@ s", "a b@@ a@@ n@@ a@@ n@@ a and a b@@ a@@ n@@ d@@ a@@ n@@ a i@@ n the s@@ a@@ v@@ a@@ n@@ n@@ a"},
     {"the s@@ l@@ o@@ w@@ e@@ s@@ t s@@ a@@ v@@ a@@ n@@ n@@ a@@ s l@@ o@@ w@@ e@@ r@@ e@@ d n@@ e@@ w@@ e@@ r b@@ o@@ a@@ t@@ s x", "t@@ h@@ e@@ r@@ m@@ a@@ l r@@ o@@ w@@ e@@ r@@ s"}},
   }},
  {"french", 25,
   {"l'été où l'eau était tiède", "où étais-tu hier été comme hiver", "la tiédeur de l'hiver était là", "déjà là où était l'été"},
   {"où était-elle l'hiver déjà", "œuvre"},
   "#version: 0.2\né t\nét a\néta i\nl '\nétai t</w>\nét é</w>\no ù</w>\nh i\ne r</w>\nv er</w>\nt i\nl' été</w>\nl à</w>\nhi ver</w>\nd e</w>\n",
   {
    {0, {"l'été où l'@@ e@@ a@@ u était ti@@ è@@ de", "où étai@@ s@@ -@@ t@@ u hi@@ er été c@@ o@@ m@@ m@@ e hiver", "l@@ a ti@@ é@@ d@@ e@@ u@@ r de l'@@ hiver était là", "d@@ é@@ j@@ à là où était l'été"},
     {"où étai@@ t@@ -@@ e@@ l@@ l@@ e l'@@ hiver d@@ é@@ j@@ à", "œ@@ u@@ v@@ r@@ e"}},
    {2, {"l'été où l'@@ e@@ a@@ u était ti@@ è@@ de", "où é@@ t@@ a@@ i@@ s@@ -@@ t@@ u h@@ i@@ e@@ r é@@ t@@ é c@@ o@@ m@@ m@@ e hiver", "l@@ a ti@@ é@@ d@@ e@@ u@@ r de l'@@ hiver était là", "d@@ é@@ j@@ à là où était l'été"},
     {"où é@@ t@@ a@@ i@@ t@@ -@@ e@@ l@@ l@@ e l'@@ hiver d@@ é@@ j@@ à", "œ@@ u@@ v@@ r@@ e"}},
    {3, {"l@@ '@@ é@@ t@@ é où l@@ '@@ e@@ a@@ u était t@@ i@@ è@@ d@@ e", "où é@@ t@@ a@@ i@@ s@@ -@@ t@@ u h@@ i@@ e@@ r é@@ t@@ é c@@ o@@ m@@ m@@ e h@@ i@@ v@@ e@@ r", "l@@ a t@@ i@@ é@@ d@@ e@@ u@@ r d@@ e l@@ '@@ h@@ i@@ v@@ e@@ r était l@@ à", "d@@ é@@ j@@ à l@@ à où était l@@ '@@ é@@ t@@ é"},
     {"où é@@ t@@ a@@ i@@ t@@ -@@ e@@ l@@ l@@ e l@@ '@@ h@@ i@@ v@@ e@@ r d@@ é@@ j@@ à", "œ@@ u@@ v@@ r@@ e"}},
   }},
  {"chinese", 12,
   {"我们喝茶 我们喝水", "他们喝热水 你们喝茶", "喝茶的我们和喝水的他们", "热水热茶 热热的水"},
   {"我喝热茶 喝水的你们", "龙"},
   "#version: 0.2\n们 喝\n我 们喝\n",
   {
    {0, {"我们喝@@ 茶 我们喝@@ 水", "他@@ 们喝@@ 热@@ 水 你@@ 们喝@@ 茶", "喝@@ 茶@@ 的@@ 我@@ 们@@ 和@@ 喝@@ 水@@ 的@@ 他@@ 们", "热@@ 水@@ 热@@ 茶 热@@ 热@@ 的@@ 水"},
     {"我@@ 喝@@ 热@@ 茶 喝@@ 水@@ 的@@ 你@@ 们", "龙"}},
    {2, {"我们喝@@ 茶 我们喝@@ 水", "他@@ 们喝@@ 热@@ 水 你@@ 们喝@@ 茶", "喝@@ 茶@@ 的@@ 我@@ 们@@ 和@@ 喝@@ 水@@ 的@@ 他@@ 们", "热@@ 水@@ 热@@ 茶 热@@ 热@@ 的@@ 水"},
     {"我@@ 喝@@ 热@@ 茶 喝@@ 水@@ 的@@ 你@@ 们", "龙"}},
    {3, {"我@@ 们@@ 喝@@ 茶 我@@ 们@@ 喝@@ 水", "他@@ 们@@ 喝@@ 热@@ 水 你@@ 们@@ 喝@@ 茶", "喝@@ 茶@@ 的@@ 我@@ 们@@ 和@@ 喝@@ 水@@ 的@@ 他@@ 们", "热@@ 水@@ 热@@ 茶 热@@ 热@@ 的@@ 水"},
     {"我@@ 喝@@ 热@@ 茶 喝@@ 水@@ 的@@ 你@@ 们", "龙"}},
   }},
  {"overlaps", 12,
   {"aaaa aaaaa aaa aaaaaaa", "abababab ababa babab", "xxx xxxx @@ a@@ @ @@@@"},
   {"aaaaaaaaaaa ababababab xxxxxxx aab", "@@@"},
   "#version: 0.2\na a\nb a\nx x\nba ba\naa aa\n@ @</w>\naa a</w>\n",
   {
    {0, {"aa@@ a@@ a aaaa@@ a aaa aaaa@@ aaa", "a@@ baba@@ ba@@ b a@@ ba@@ b@@ a baba@@ b", "xx@@ x xx@@ x@@ x @@ a@@ @@ @ @@@ @@@ @@"},
     {"aaaa@@ aaaa@@ aaa a@@ baba@@ baba@@ b xx@@ xx@@ xx@@ x aa@@ b", "@@@ @@"}},
    {2, {"a@@ a@@ a@@ a aaaa@@ a aaa aaaa@@ aaa", "a@@ baba@@ ba@@ b a@@ ba@@ b@@ a baba@@ b", "xx@@ x xx@@ x@@ x @@ a@@ @@ @ @@@ @@@ @@"},
     {"aaaa@@ aaaa@@ aaa a@@ baba@@ baba@@ b xx@@ xx@@ xx@@ x a@@ a@@ b", "@@@ @@"}},
    {3, {"a@@ a@@ a@@ a a@@ a@@ a@@ a@@ a a@@ a@@ a a@@ a@@ a@@ a@@ a@@ a@@ a", "a@@ b@@ a@@ b@@ a@@ b@@ a@@ b a@@ b@@ a@@ b@@ a b@@ a@@ b@@ a@@ b", "x@@ x@@ x x@@ x@@ x@@ x @@ a@@ @@ @ @@@ @@@ @@"},
     {"a@@ a@@ a@@ a@@ a@@ a@@ a@@ a@@ a@@ a@@ a a@@ b@@ a@@ b@@ a@@ b@@ a@@ b@@ a@@ b x@@ x@@ x@@ x@@ x@@ x@@ x a@@ a@@ b", "@@@ @@"}},
   }},
  {"marks of others", 15,
   {"</w> a</w> b</w>b </w></w>", "#version: 0.2 </w>", "a</w>a a</w> a</w>"},
   {"a</w>b </w> w> </", "#version:"},
   "#version: 0.2\n< /\n</ w\n</w ></w>\na </w></w>\n</w >\n",
   {
    {0, {"</w> a</w> b@@ </w>@@ b </w>@@ </w>", "#@@ v@@ e@@ r@@ s@@ i@@ o@@ n@@ : 0@@ .@@ 2 </w>", "a@@ </w>@@ a a</w> a</w>"},
     {"a@@ </w>@@ b </w> w@@ > <@@ /", "#@@ v@@ e@@ r@@ s@@ i@@ o@@ n@@ :"}},
    {2, {"</w> a</w> b@@ </w>@@ b </w>@@ </w>", "#@@ v@@ e@@ r@@ s@@ i@@ o@@ n@@ : 0@@ .@@ 2 </w>", "a@@ </w>@@ a a</w> a</w>"},
     {"a@@ </w>@@ b </w> w@@ > <@@ /", "#@@ v@@ e@@ r@@ s@@ i@@ o@@ n@@ :"}},
    {3, {"</w> a</w> b@@ </w>@@ b </w>@@ </w>", "#@@ v@@ e@@ r@@ s@@ i@@ o@@ n@@ : 0@@ .@@ 2 </w>", "a@@ </w>@@ a a</w> a</w>"},
     {"a@@ </w>@@ b </w> w@@ > <@@ /", "#@@ v@@ e@@ r@@ s@@ i@@ o@@ n@@ :"}},
   }},
  };
  return cases;
}

// Of the words that generated_lines() makes: merges asked for, lines of the file, FNV-1a of the file and of the text.
inline constexpr std::int64_t generated_merges = 3000, generated_file_lines = 1652;
inline constexpr std::uint64_t generated_file_hash = 0x932D23B8BCD52F61, generated_text_hash = 0x951BC8FF98D9977A;

}  // namespace heed_test
