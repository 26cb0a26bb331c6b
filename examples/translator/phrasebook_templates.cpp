// The combined part of the phrasebook. Every filler fits every template of its class, in both languages: measure
// words are part of the fillers ("two cups of tea" is 两杯茶), and the hole moves where Chinese wants it (time before
// the verb).

#include "phrasebook.hpp"

namespace translator {
namespace {

PhraseClass things() {
  return {"shopping and food",
          {{"I would like {}.", "我想要{}。"},
           {"Please give me {}.", "请给我{}。"},
           {"She bought {}.", "她买了{}。"},
           {"How much for {}?", "{}多少钱？"},
           {"Can I have {}?", "可以给我{}吗？"},
           {"He wants to buy {}.", "他想买{}。"},
           {"I only need {}.", "我只需要{}。"},
           {"Could you bring us {}?", "您能给我们拿{}吗？"},
           {"My friend ordered {}.", "我的朋友点了{}。"}},
          {{"a cup of coffee", "一杯咖啡"},
           {"two cups of tea", "两杯茶"},
           {"a bottle of water", "一瓶水"},
           {"three bottles of beer", "三瓶啤酒"},
           {"a bowl of noodles", "一碗面条"},
           {"two bowls of rice", "两碗米饭"},
           {"a plate of dumplings", "一盘饺子"},
           {"a piece of cake", "一块蛋糕"},
           {"two pieces of bread", "两块面包"},
           {"a glass of milk", "一杯牛奶"},
           {"three apples", "三个苹果"},
           {"two eggs", "两个鸡蛋"},
           {"a bowl of soup", "一碗汤"},
           {"four cups of juice", "四杯果汁"}}};
}

PhraseClass places() {
  return {"finding the way",
          {{"Where is {}?", "{}在哪里？"},
           {"How do I get to {}?", "去{}怎么走？"},
           {"Is {} far from here?", "{}离这里远吗？"},
           {"I want to go to {}.", "我想去{}。"},
           {"Please take me to {}.", "请带我去{}。"},
           {"I will wait for you at {}.", "我会在{}等你。"},
           {"My friend lives near {}.", "我的朋友住在{}附近。"},
           {"Is there a bus to {}?", "有去{}的公共汽车吗？"},
           {"{} is closed today.", "{}今天关门。"},
           {"He works at {}.", "他在{}工作。"},
           {"I left my phone at {}.", "我把手机忘在{}了。"}},
          {{"the train station", "火车站"},
           {"the airport", "机场"},
           {"the hotel", "酒店"},
           {"the hospital", "医院"},
           {"the bank", "银行"},
           {"the museum", "博物馆"},
           {"the library", "图书馆"},
           {"the supermarket", "超市"},
           {"the post office", "邮局"},
           {"the park", "公园"},
           {"the restaurant", "餐厅"},
           {"the bookstore", "书店"},
           {"the cinema", "电影院"},
           {"the swimming pool", "游泳馆"}}};
}

PhraseClass times() {
  return {"time",
          {{"I will call you {}.", "我{}给你打电话。"},
           {"We are going to Beijing {}.", "我们{}去北京。"},
           {"Are you free {}?", "你{}有空吗？"},
           {"The meeting is {}.", "会议在{}。"},
           {"She will leave {}.", "她{}离开。"},
           {"Let's meet {}.", "我们{}见面吧。"},
           {"I have an exam {}.", "我{}有考试。"},
           {"What are you going to do {}?", "你{}打算做什么？"},
           {"My parents will arrive {}.", "我父母{}到。"},
           {"Can you help me {}?", "你{}能帮我吗？"}},
          {{"today", "今天"},
           {"tomorrow", "明天"},
           {"tonight", "今晚"},
           {"tomorrow morning", "明天早上"},
           {"this afternoon", "今天下午"},
           {"on Monday", "星期一"},
           {"on Wednesday", "星期三"},
           {"on Friday evening", "星期五晚上"},
           {"at eight o'clock", "八点"},
           {"at half past nine", "九点半"},
           {"next week", "下周"},
           {"this weekend", "这个周末"},
           {"next month", "下个月"}}};
}

PhraseClass activities() {
  return {"free time",
          {{"I like {}.", "我喜欢{}。"},
           {"Do you like {}?", "你喜欢{}吗？"},
           {"He doesn't like {}.", "他不喜欢{}。"},
           {"My father is {} now.", "我爸爸现在正在{}。"},
           {"{} makes me happy.", "{}让我很开心。"},
           {"We spent the whole afternoon {}.", "我们整个下午都在{}。"},
           {"They often go {} together.", "他们经常一起去{}。"},
           {"My favourite hobby is {}.", "我最大的爱好是{}。"},
           {"{} is very interesting.", "{}很有意思。"}},
          {{"swimming", "游泳"},
           {"singing", "唱歌"},
           {"dancing", "跳舞"},
           {"running", "跑步"},
           {"shopping", "购物"},
           {"fishing", "钓鱼"},
           {"climbing mountains", "爬山"},
           {"watching movies", "看电影"},
           {"playing football", "踢足球"},
           {"playing basketball", "打篮球"},
           {"playing tennis", "打网球"},
           {"taking photos", "拍照"},
           {"riding bicycles", "骑自行车"}}};
}

PhraseClass cities() {
  return {"travel and weather",
          {{"She is from {}.", "她来自{}。"},
           {"I have never been to {}.", "我从来没去过{}。"},
           {"Have you ever been to {}?", "你去过{}吗？"},
           {"How is the weather in {}?", "{}的天气怎么样？"},
           {"It often rains in {}.", "{}经常下雨。"},
           {"Is it cold in {} in winter?", "{}冬天冷吗？"},
           {"We flew to {} last year.", "我们去年坐飞机去了{}。"},
           {"I am going to study in {}.", "我要去{}学习。"},
           {"When does the train to {} leave?", "去{}的火车什么时候开？"}},
          {{"Beijing", "北京"},
           {"Shanghai", "上海"},
           {"Hong Kong", "香港"},
           {"London", "伦敦"},
           {"Paris", "巴黎"},
           {"New York", "纽约"},
           {"Tokyo", "东京"},
           {"Berlin", "柏林"},
           {"Moscow", "莫斯科"},
           {"Rome", "罗马"},
           {"Chengdu", "成都"},
           {"Guangzhou", "广州"}}};
}

PhraseClass numbers() {  // no "two" here: alone it is 二, before a measure word 两
  return {"numbers",
          {{"It costs {} yuan.", "这个{}块钱。"},
           {"My teacher is {} years old.", "我的老师{}岁。"},
           {"There are {} people in the room.", "房间里有{}个人。"},
           {"We waited for {} minutes.", "我们等了{}分钟。"},
           {"I live in room number {}.", "我住在{}号房间。"},
           {"He can speak {} words of Chinese.", "他会说{}个中文词。"}},
          {{"fifteen", "十五"},
           {"twenty", "二十"},
           {"twenty-five", "二十五"},
           {"thirty", "三十"},
           {"thirty-six", "三十六"},
           {"forty", "四十"},
           {"forty-eight", "四十八"},
           {"fifty", "五十"},
           {"sixty", "六十"},
           {"seventy-seven", "七十七"},
           {"ninety-nine", "九十九"}}};
}

PhraseClass feelings() {
  return {"feelings",
          {{"I am very {}.", "我很{}。"},
           {"Are you {}?", "你{}吗？"},
           {"She looks {}.", "她看起来很{}。"},
           {"Why are you so {}?", "你为什么这么{}？"},
           {"He is not {}.", "他不{}。"},
           {"Everyone was {} yesterday.", "昨天大家都很{}。"},
           {"I feel a little {}.", "我觉得有点{}。"},
           {"Don't be so {}.", "别这么{}。"}},
          {{"happy", "开心"},
           {"tired", "累"},
           {"hungry", "饿"},
           {"sad", "难过"},
           {"angry", "生气"},
           {"busy", "忙"},
           {"worried", "担心"},
           {"nervous", "紧张"},
           {"excited", "激动"},
           {"bored", "无聊"},
           {"lonely", "孤单"}}};
}

}  // namespace

const std::vector<PhraseClass>& phrase_classes() {
  static const std::vector<PhraseClass> classes{things(), places(),  times(),   activities(),
                                                cities(), numbers(), feelings()};
  return classes;
}

}  // namespace translator
