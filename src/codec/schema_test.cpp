// Goal: the schema reads as a person would have written it. That it agrees with the decoder is shown by
// schema_agreement/, against another implementation.
#include "codec/schema.hpp"

#include "codec/sample.hpp"

#include <gtest/gtest.h>

namespace weir::codec {
namespace {

TEST(Schema, ScalarsSayTypeAndRange) {
    EXPECT_EQ(SchemaBook{}.add<bool>(), R"({"type":"boolean"})");
    EXPECT_EQ(SchemaBook{}.add<std::uint8_t>(), R"({"type":"integer","minimum":0,"maximum":255})");
    EXPECT_EQ(SchemaBook{}.add<std::string>(), R"({"type":"string"})");
    EXPECT_EQ(SchemaBook{}.add<sample::Role>(), R"({"type":"string","enum":["owner","operator"]})");
    EXPECT_EQ(SchemaBook{}.add<std::optional<double>>(), R"({"anyOf":[{"type":"number"},{"type":"null"}]})");
    EXPECT_EQ((SchemaBook{}.add<std::array<bool, 2>>()), R"({"type":"array","items":{"type":"boolean"},"minItems":2,"maxItems":2})");
    EXPECT_EQ(SchemaBook{}.add<Id<sample::JobKind>>(), R"({"type":"string","pattern":"^job-[0-7][0-9a-hjkmnp-tv-z]{25}$"})");
    EXPECT_EQ(SchemaBook{}.add<Fen>(), R"json({"description":"fen (0.01 yuan)","$ref":"#/components/schemas/Int64"})json");
    EXPECT_EQ(SchemaBook{}.add<sample::Version>(),
              R"({"description":"a version such as 1.4","type":"string","pattern":"^(0|[1-9][0-9]{0,8})\\.(0|[1-9][0-9]{0,8})$"})");
}

TEST(Schema, StructsBecomeDefinitions) {
    SchemaBook book;
    EXPECT_EQ(book.add<std::vector<sample::Resources>>(),
              R"({"type":"array","items":{"$ref":"#/components/schemas/codec.sample.Resources"}})");
    EXPECT_EQ(book.definitions().at("codec.sample.Resources"),
              R"({"description":"What one task needs.","type":"object","properties":{)"
              R"("nodes":{"description":"gang size, nodes","type":"integer","minimum":1,"maximum":4096},)"
              R"("energy_j":{"description":"joules","$ref":"#/components/schemas/NaturalInt64"},)"
              R"("share":{"type":"number","minimum":0,"maximum":1}},"required":[],"additionalProperties":false})");
}

TEST(Schema, ATypeThatHoldsItselfIsDefinedOnce) {
    EXPECT_EQ(json_schema<sample::Tree>(),
              R"({"$schema":"https://json-schema.org/draft/2020-12/schema","$ref":"#/$defs/codec.sample.Tree","$defs":{)"
              R"("codec.sample.Tree":{"type":"object","properties":{"label":{"type":"string"},)"
              R"("children":{"type":"array","items":{"$ref":"#/$defs/codec.sample.Tree"}}},"required":["label"],)"
              R"("additionalProperties":false}}})");
}

TEST(Schema, AlternativesCarryTheirKind) {
    SchemaBook book;
    EXPECT_EQ((book.add<std::variant<sample::Placed, sample::Refused>>()),
              R"({"oneOf":[{"$ref":"#/components/schemas/codec.sample.Placed.tagged"},)"
              R"({"$ref":"#/components/schemas/codec.sample.Refused.tagged"}]})");
    EXPECT_EQ(book.definitions().at("codec.sample.Refused.tagged"),
              R"({"type":"object","properties":{"kind":{"const":"refused"},"reason":{"type":"string"}},)"
              R"("required":["kind","reason"],"additionalProperties":false})");
}

TEST(Schema, DefinitionsHaveNamesThatOpenApiTakes) {
    EXPECT_EQ(detail::definition_name("weir::JobSpec"), "JobSpec");
    EXPECT_EQ(detail::definition_name("weir::http::Page<weir::JobSpec>"), "http.Page_JobSpec");
    EXPECT_EQ(detail::definition_name("weir::(anonymous namespace)::A<std::vector<int>, 3>"), "A_std.vector_int_3");
}

}  // namespace
}  // namespace weir::codec
