import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.NoSuchElementException;
import org.apache.spark.api.java.Optional;
import org.apache.spark.streaming.State;
import scala.Tuple2;

/** The closed list of functions that programs name. The same list, with what each does, is in engine/tests/conformance/. */
final class Functions {
    private Functions() {}

    @SuppressWarnings("unchecked")
    private static Tuple2<String, Long> asPair(Object record) {
        return (Tuple2<String, Long>) record;
    }

    private static IllegalArgumentException unknown(String kind, String name) {
        return new IllegalArgumentException("unknown " + kind + " " + name);
    }

    static Object map(String name, Object record) {
        switch (name) {
            case "same":
                return record;
            case "head":
                return ((String) record).isEmpty() ? "" : ((String) record).substring(0, 1);
            case "length":
                return (long) ((String) record).length();
            case "one":
                return new Tuple2<>((String) record, 1L);
            case "increment":
                return (Long) record + 1;
            case "negate":
                return -(Long) record;
            case "by_parity":
                return new Tuple2<>((Long) record % 2 == 0 ? "even" : "odd", (Long) record);
            case "key":
                return asPair(record)._1();
            case "value":
                return asPair(record)._2();
            case "to_x":
                return new Tuple2<>("x", asPair(record)._2());
            default:
                throw unknown("map function", name);
        }
    }

    static boolean keep(String name, Object record) {
        switch (name) {
            case "all":
                return true;
            case "none":
                return false;
            case "long":
                return ((String) record).length() > 1;
            case "positive":
                return number(record) > 0;
            case "nonzero":
                return number(record) != 0;
            case "even":
                return number(record) % 2 == 0;
            case "above_one":
                return number(record) > 1;
            default:
                throw unknown("predicate", name);
        }
    }

    private static long number(Object record) {
        return record instanceof Long ? (Long) record : asPair(record)._2();
    }

    static Iterator<Object> flatMap(String name, Object record) {
        switch (name) {
            case "words":
                return Arrays.stream(((String) record).split(" ")).filter(word -> !word.isEmpty()).map(word -> (Object) word).iterator();
            case "twice":
                return Arrays.asList(record, record).iterator();
            case "countdown":
                return countdown((Long) record).stream().map(value -> (Object) value).iterator();
            case "spell":
                return Collections.nCopies((int) Math.max(0, asPair(record)._2()), (Object) asPair(record)._1()).iterator();
            default:
                throw unknown("flat_map function", name);
        }
    }

    static List<Long> flatMapValue(String name, Long value) {
        switch (name) {
            case "twice":
                return Arrays.asList(value, value);
            case "countdown":
                return countdown(value);
            default:
                throw unknown("flat_map_values function", name);
        }
    }

    private static List<Long> countdown(long from) {
        List<Long> values = new ArrayList<>();
        for (long value = from; value > 0; value--) {
            values.add(value);
        }
        return values;
    }

    static Iterator<Object> mapPartition(String name, Iterator<Object> records) {
        switch (name) {
            case "size":
                long size = 0;
                for (; records.hasNext(); records.next()) {
                    size++;
                }
                return Collections.<Object>singletonList(size).iterator();
            case "first":
                return records.hasNext() ? Collections.singletonList(records.next()).iterator() : Collections.emptyIterator();
            default:
                throw unknown("map_partitions function", name);
        }
    }

    static Object reduce(String name, Object left, Object right) {
        switch (name) {
            case "sum":
                return (Long) left + (Long) right;
            case "max":
                return compare(left, right) >= 0 ? left : right;
            case "min":
                return compare(left, right) <= 0 ? left : right;
            default:
                throw unknown("reduce function", name);
        }
    }

    private static int compare(Object left, Object right) {
        return left instanceof Long ? ((Long) left).compareTo((Long) right) : ((String) left).compareTo((String) right);
    }

    /** The whole batch at once, in no particular order; `batch` counts from 1. */
    static List<Object> transform(String name, List<Object> records, long batch) {
        switch (name) {
            case "distinct":
                return new ArrayList<>(new LinkedHashSet<>(records));
            case "label":
                List<Object> labelled = new ArrayList<>();
                records.forEach(record -> labelled.add(batch + ":" + record));
                return labelled;
            case "empty_on_even":
                return batch % 2 == 0 ? new ArrayList<>() : records;
            case "greatest_two":
                List<Object> sorted = new ArrayList<>(records);
                sorted.sort(Comparator.comparing(String::valueOf).reversed());
                return new ArrayList<>(sorted.subList(0, Math.min(2, sorted.size())));
            default:
                throw unknown("transform function", name);
        }
    }

    static List<Object> transformWith(String name, List<Object> left, List<Object> right, long batch) {
        switch (name) {
            case "subtract":
                List<Object> rest = new ArrayList<>(left);
                rest.removeIf(right::contains);
                return rest;
            case "alternate":
                return batch % 2 == 0 ? right : left;
            default:
                throw unknown("transform_with function", name);
        }
    }

    static Optional<Long> updateState(String name, List<Long> values, Optional<Long> state) {
        long sum = state.orElse(0L) + values.stream().mapToLong(Long::longValue).sum();
        switch (name) {
            case "sum":
                return Optional.of(sum);
            case "sum_until_zero":
                return sum == 0 ? Optional.empty() : Optional.of(sum);
            case "drop_when_idle":
                return values.isEmpty() ? Optional.empty() : Optional.of(sum);
            case "age":
                return Optional.of(state.isPresent() ? state.get() + 1 : 0L);
            default:
                throw unknown("update function", name);
        }
    }

    /** What a record does to the state of its key is said by its value; see `StateFunction` in program.rs. */
    static Optional<String> mapWithState(String name, long batch, String key, Optional<Long> value, State<Long> state) {
        if (state.isTimingOut()) {
            return Optional.of(key + " times out at " + state.get() + (name.equals("stubborn") ? stubborn(state) : ""));
        }
        long v = value.get();
        if (v > 0) {
            state.update((state.exists() ? state.get() : 0) + v);
            return Optional.of(key + "=" + state.get());
        }
        switch ((int) v) {
            case 0:
                if (!state.exists()) {
                    return Optional.of(key + " absent");
                }
                state.remove();
                return Optional.of(key + " removed");
            case -2:
                return Optional.empty();
            case -3:
                state.remove();
                return Optional.of(key + " remove, update: " + refusal(() -> state.update(1L)));
            case -4:
                state.remove();
                return Optional.of(key + " remove, remove: " + refusal(state::remove));
            case -5:
                return Optional.of(key + " get: " + refusal(state::get));
            case -6:
                return Optional.of(key + " remove: " + refusal(state::remove));
            default:
                return Optional.of(key + (state.exists() ? " is " + state.getOption().get() : " is not") + " at " + batch);
        }
    }

    private static String stubborn(State<Long> state) {
        return ", update: " + refusal(() -> state.update(1L)) + ", remove: " + refusal(state::remove);
    }

    private static String refusal(Runnable call) {
        try {
            call.run();
            return "taken";
        } catch (IllegalArgumentException | NoSuchElementException refused) {
            return "refused";
        }
    }
}
