// tests/filled.hpp: a value of any described type with nothing left out: every optional set, something in every list.
//
// It answers: what does the whole form of this type look like as text? Values differ from each other and follow from the order of
// fields alone, so any change of a form changes the text.
#pragma once

#include "control/core/ledger_text.hpp"
#include "domain/job.hpp"

#include <boost/describe.hpp>
#include <boost/mp11.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

namespace weir::tests {

class Filler {
public:
    template <class T>
    T value() {
        T out{};
        fill(out);
        return out;
    }

private:
    std::int64_t next() { return ++number_; }

    void fill(bool& out) { out = true; }
    void fill(std::string& out) { out = "text-" + std::to_string(next()); }
    void fill(Instant& out) { out = Instant{1'800'000'000'000'000'000} + seconds(next()); }
    void fill(Digest& out) { out = sha256(std::to_string(next())); }
    void fill(Uid& out) { out = make_uid(Instant{1'800'000'000'000'000'000}, 0, static_cast<std::uint64_t>(next())); }
    void fill(Budget& out) { fill(out.fen); }
    void fill(FundingSource& out) { fill(out.voucher); }
    void fill(AcceleratorAsk& out) {
        fill(out.model);
        out.per_node = MilliCards{1000 * next()};
        fill(out.run);
    }
    void fill(ledger::Fingerprint& out) {
        for (auto* word : {&out.body, &out.tags_high, &out.tags_low}) fill(*word);
    }
    void fill(ledger::Posting& out) {
        fill(out.id);
        fill(out.debit);
        fill(out.credit);
        fill(out.amount);
        fill(out.released);
        fill(out.pending_id);
        fill(out.at);
        fill(out.expires_at);
        for (auto* who : {&out.cause, &out.actor, &out.second_actor}) fill(*who);
        fill(out.request);
        fill(out.ledger);
        fill(out.policy_version);
        fill(out.code);
        fill(out.kind);
    }
    template <class K>
    void fill(Name<K>& out) {
        out.value = "name-" + std::to_string(next());
    }
    template <class K>
    void fill(Id<K>& out) {
        fill(out.uid);
    }
    template <class Tag>
    void fill(Quantity<Tag>& out) {
        out.value = next();
    }
    template <class T>
    void fill(Frozen<T>& out) {
        out = value<T>();
    }
    template <class T>
    void fill(std::optional<T>& out) {
        fill(out.emplace());
    }
    template <class T>
    void fill(std::vector<T>& out) {
        out.push_back(value<T>());
    }
    template <class K, class T>
    void fill(std::map<K, T>& out) {
        auto key = value<K>();
        out.emplace(std::move(key), value<T>());
    }
    template <class T>
        requires(std::is_integral_v<T>)
    void fill(T& out) {
        out = static_cast<T>(next() % 100);
    }
    template <class E>
        requires(boost::describe::has_describe_enumerators<E>::value)
    void fill(E& out) {
        std::vector<E> values;
        boost::mp11::mp_for_each<boost::describe::describe_enumerators<E>>([&](auto d) { values.push_back(d.value); });
        out = values[static_cast<std::size_t>(next()) % values.size()];
    }
    template <class S>
        requires(std::is_class_v<S> && boost::describe::has_describe_members<S>::value)
    void fill(S& out) {
        using Members = boost::describe::describe_members<S, boost::describe::mod_public | boost::describe::mod_inherited>;
        boost::mp11::mp_for_each<Members>([&](auto d) { fill(out.*d.pointer); });
    }

    std::int64_t number_ = 0;
};

}  // namespace weir::tests
