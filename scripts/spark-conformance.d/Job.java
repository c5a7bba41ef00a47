import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import org.apache.spark.HashPartitioner;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.api.java.Optional;
import org.apache.spark.api.java.function.Function2;
import org.apache.spark.streaming.Duration;
import org.apache.spark.streaming.StateSpec;
import org.apache.spark.streaming.api.java.JavaDStream;
import org.apache.spark.streaming.api.java.JavaMapWithStateDStream;
import org.apache.spark.streaming.api.java.JavaPairDStream;
import org.apache.spark.streaming.api.java.JavaStreamingContext;
import scala.Tuple2;

/** Builds the streams of a program on Spark. */
final class Job {
    /** Length of a batch, and of the steps in which programs give windows and time-outs. */
    static final long BATCH_MS = 1000;

    private final JavaStreamingContext context;
    private final Map<String, JavaDStream<Object>> streams = new HashMap<>();

    Job(JavaStreamingContext context, JsonNode program) {
        this.context = context;
        int number = 0;
        for (JsonNode input : program.get("inputs")) {
            streams.put(String.valueOf((char) ('a' + number++)), input(input));
        }
        for (JsonNode step : program.get("steps")) {
            streams.put(step.get("let").textValue(), stream(step));
        }
    }

    JavaDStream<Object> stream(String name) {
        JavaDStream<Object> stream = streams.get(name);
        if (stream == null) {
            throw new IllegalStateException("no stream is called " + name);
        }
        return stream;
    }

    /** One RDD per batch, with the partitions that the program gives it. */
    private JavaDStream<Object> input(JsonNode input) {
        Queue<JavaRDD<Object>> batches = new ArrayDeque<>();
        for (JsonNode batch : input.get("batches")) {
            List<List<Object>> partitions = new ArrayList<>();
            batch.forEach(partition -> partitions.add(Records.readAll(partition)));
            batches.add(partitions.isEmpty() ? spark().emptyRDD() : spark().parallelize(partitions, partitions.size()).flatMap(List::iterator));
        }
        // Spark's own default for a queue that has run dry is a batch with one empty partition; a batch without any is meant here.
        return context.queueStream(batches, true, spark().emptyRDD());
    }

    private JavaSparkContext spark() {
        return context.sparkContext();
    }

    private JavaDStream<Object> of(JsonNode step, int number) {
        return stream(step.get("of").get(number).textValue());
    }

    private JavaPairDStream<String, Long> pairsOf(JsonNode step, int number) {
        return of(step, number).mapToPair(Job::asPair);
    }

    @SuppressWarnings("unchecked")
    private static Tuple2<String, Long> asPair(Object record) {
        return (Tuple2<String, Long>) record;
    }

    private static JavaDStream<Object> records(JavaPairDStream<?, ?> pairs) {
        return pairs.toJavaDStream().map(pair -> (Object) pair);
    }

    /** Pairs whose key is no text: it becomes one, as the language knows only pairs of a text and a number. */
    private static JavaDStream<Object> textKeys(JavaPairDStream<Object, Long> pairs) {
        return pairs.toJavaDStream().map(pair -> (Object) new Tuple2<>(String.valueOf(pair._1()), pair._2()));
    }

    private static Duration batches(JsonNode step, String field) {
        return new Duration(step.get(field).longValue() * BATCH_MS);
    }

    private JavaDStream<Object> stream(JsonNode step) {
        String op = step.get("op").textValue();
        String function = step.path("function").asText();
        switch (op) {
            case "map":
                return of(step, 0).map(record -> Functions.map(function, record));
            case "filter":
                return of(step, 0).filter(record -> Functions.keep(function, record));
            case "flat_map":
                return of(step, 0).flatMap(record -> Functions.flatMap(function, record));
            case "map_partitions":
                return of(step, 0).mapPartitions(records -> Functions.mapPartition(function, records));
            case "glom":
                return of(step, 0).glom().map(records -> (Object) Records.bracketed(records));
            case "repartition":
                return of(step, 0).repartition(step.get("partitions").intValue());
            case "union":
                return union(step);
            case "count":
                return of(step, 0).count().map(count -> (Object) count);
            case "reduce":
                return of(step, 0).reduce(reduction(function));
            case "count_by_value":
                return textKeys(of(step, 0).countByValue());
            case "transform":
                return of(step, 0).transform((records, time) -> {
                    long batch = time.milliseconds() / BATCH_MS;
                    return whole(records).flatMap(all -> Functions.transform(function, all, batch).iterator());
                });
            case "transform_with":
                return of(step, 0).transformWith(of(step, 1), (left, right, time) -> {
                    long batch = time.milliseconds() / BATCH_MS;
                    return whole(left).zip(whole(right)).flatMap(both -> Functions.transformWith(function, both._1(), both._2(), batch).iterator());
                });
            case "map_values":
                return records(pairsOf(step, 0).mapValues(value -> Functions.map(function, value)));
            case "flat_map_values":
                return records(pairsOf(step, 0).flatMapValues(value -> Functions.flatMapValue(function, value).iterator()));
            case "group_by_key":
                return grouped(pairsOf(step, 0).groupByKey());
            case "reduce_by_key":
                return records(pairsOf(step, 0).reduceByKey(numbers(function)));
            case "combine_by_key":
                return records(pairsOf(step, 0).combineByKey(
                    value -> new Tuple2<>(value, 1L),
                    (combined, value) -> new Tuple2<>(combined._1() + value, combined._2() + 1),
                    (left, right) -> new Tuple2<>(left._1() + right._1(), left._2() + right._2()),
                    new HashPartitioner(2)))
                    .map(Job::mean);
            case "cogroup":
                return pairsOf(step, 0).cogroup(pairsOf(step, 1)).toJavaDStream()
                    .map(group -> (Object) (group._1() + ":" + Records.list(group._2()._1()) + "|" + Records.list(group._2()._2())));
            case "join":
                return pairsOf(step, 0).join(pairsOf(step, 1)).toJavaDStream()
                    .map(both -> joined(both._1(), Optional.of(both._2()._1()), Optional.of(both._2()._2())));
            case "left_outer_join":
                return pairsOf(step, 0).leftOuterJoin(pairsOf(step, 1)).toJavaDStream()
                    .map(both -> joined(both._1(), Optional.of(both._2()._1()), both._2()._2()));
            case "right_outer_join":
                return pairsOf(step, 0).rightOuterJoin(pairsOf(step, 1)).toJavaDStream()
                    .map(both -> joined(both._1(), both._2()._1(), Optional.of(both._2()._2())));
            case "full_outer_join":
                return pairsOf(step, 0).fullOuterJoin(pairsOf(step, 1)).toJavaDStream()
                    .map(both -> joined(both._1(), both._2()._1(), both._2()._2()));
            case "join_dataset":
                return joinDataset(step);
            case "window":
                return step.has("slide") ? of(step, 0).window(batches(step, "length"), batches(step, "slide")) : of(step, 0).window(batches(step, "length"));
            case "reduce_by_window":
                return reduceByWindow(step, function);
            case "count_by_window":
                return of(step, 0).countByWindow(batches(step, "length"), batches(step, "slide")).map(count -> (Object) count);
            case "count_by_value_and_window":
                return textKeys(of(step, 0).countByValueAndWindow(batches(step, "length"), batches(step, "slide")));
            case "group_by_key_and_window":
                return grouped(pairsOf(step, 0).groupByKeyAndWindow(batches(step, "length"), batches(step, "slide")));
            case "reduce_by_key_and_window":
                return records(pairsOf(step, 0).reduceByKeyAndWindow(numbers(function), batches(step, "length"), batches(step, "slide")));
            case "reduce_by_key_and_inverse_window":
                return reduceByKeyAndInverseWindow(step);
            case "update_state_by_key":
                return updateStateByKey(step, function);
            case "map_with_state":
                return mapWithState(step, function);
            default:
                throw new IllegalStateException("unknown operation " + op);
        }
    }

    private JavaDStream<Object> union(JsonNode step) {
        if (step.get("of").size() == 2) {
            return of(step, 0).union(of(step, 1));
        }
        @SuppressWarnings({"unchecked", "rawtypes"})
        JavaDStream<Object>[] all = new JavaDStream[step.get("of").size()];
        for (int number = 0; number < all.length; number++) {
            all[number] = of(step, number);
        }
        return context.union(all);
    }

    /** All records of an RDD as one list in one partition, also when there is none. */
    private static JavaRDD<List<Object>> whole(JavaRDD<Object> records) {
        JavaSparkContext spark = JavaSparkContext.fromSparkContext(records.context());
        JavaRDD<List<Object>> none = spark.parallelize(List.of(List.<Object>of()), 1);
        return records.glom().union(none).coalesce(1).glom().map(lists -> {
            List<Object> all = new ArrayList<>();
            lists.forEach(all::addAll);
            return all;
        });
    }

    private static Function2<Object, Object, Object> reduction(String function) {
        return (left, right) -> Functions.reduce(function, left, right);
    }

    private static Function2<Long, Long, Long> numbers(String function) {
        return (left, right) -> (Long) Functions.reduce(function, left, right);
    }

    private static JavaDStream<Object> grouped(JavaPairDStream<String, Iterable<Long>> groups) {
        return groups.toJavaDStream().map(group -> (Object) (group._1() + ":" + Records.list(group._2())));
    }

    @SuppressWarnings("unchecked")
    private static Object mean(Object combined) {
        Tuple2<String, Tuple2<Long, Long>> pair = (Tuple2<String, Tuple2<Long, Long>>) combined;
        return pair._1() + ":" + pair._2()._1() + "/" + pair._2()._2();
    }

    private static Object joined(String key, Optional<Long> left, Optional<Long> right) {
        return key + ":" + side(left) + "|" + side(right);
    }

    private static String side(Optional<Long> value) {
        return value.isPresent() ? String.valueOf(value.get()) : "-";
    }

    /** The dataset is another one at each batch; the last one stays. */
    private JavaDStream<Object> joinDataset(JsonNode step) {
        List<List<Tuple2<String, Long>>> datasets = new ArrayList<>();
        step.get("dataset").forEach(dataset -> datasets.add(Records.readPairs(dataset)));
        return pairsOf(step, 0).<String, Tuple2<Long, Long>>transformToPair((records, time) -> {
            int batch = (int) Math.min(time.milliseconds() / BATCH_MS, datasets.size());
            JavaSparkContext spark = JavaSparkContext.fromSparkContext(records.context());
            return records.join(JavaPairRDD.fromJavaRDD(spark.parallelize(datasets.get(batch - 1))));
        }).toJavaDStream().map(both -> joined(both._1(), Optional.of(both._2()._1()), Optional.of(both._2()._2())));
    }

    private JavaDStream<Object> reduceByWindow(JsonNode step, String function) {
        Duration length = batches(step, "length");
        Duration slide = batches(step, "slide");
        if (step.path("inverse").asBoolean()) {
            return of(step, 0).reduceByWindow(reduction("sum"), (sum, gone) -> (Long) sum - (Long) gone, length, slide);
        }
        return of(step, 0).reduceByWindow(reduction(function), length, slide);
    }

    private JavaDStream<Object> reduceByKeyAndInverseWindow(JsonNode step) {
        Duration length = batches(step, "length");
        Duration slide = batches(step, "slide");
        JavaPairDStream<String, Long> pairs = pairsOf(step, 0);
        if (!step.has("filter")) {
            return records(pairs.reduceByKeyAndWindow((a, b) -> a + b, (a, b) -> a - b, length, slide));
        }
        String filter = step.get("filter").textValue();
        return records(pairs.reduceByKeyAndWindow((a, b) -> a + b, (a, b) -> a - b, length, slide, 2, pair -> Functions.keep(filter, pair)));
    }

    private JavaPairRDD<String, Long> initial(JsonNode step) {
        return JavaPairRDD.fromJavaRDD(spark().parallelize(Records.readPairs(step.get("initial"))));
    }

    private JavaDStream<Object> updateStateByKey(JsonNode step, String function) {
        Function2<List<Long>, Optional<Long>, Optional<Long>> update = (values, state) -> Functions.updateState(function, values, state);
        JavaPairDStream<String, Long> pairs = pairsOf(step, 0);
        return records(step.has("initial") ? pairs.updateStateByKey(update, new HashPartitioner(2), initial(step)) : pairs.updateStateByKey(update));
    }

    private JavaDStream<Object> mapWithState(JsonNode step, String function) {
        StateSpec<String, Long, Long, String> spec = StateSpec.function((org.apache.spark.api.java.function.Function4<
                org.apache.spark.streaming.Time, String, Optional<Long>, org.apache.spark.streaming.State<Long>, Optional<String>>)
            (time, key, value, state) -> Functions.mapWithState(function, time.milliseconds() / BATCH_MS, key, value, state));
        if (step.has("timeout")) {
            spec = spec.timeout(batches(step, "timeout"));
        }
        if (step.has("initial")) {
            spec = spec.initialState(initial(step));
        }
        JavaMapWithStateDStream<String, Long, Long, String> mapped = pairsOf(step, 0).mapWithState(spec);
        if (step.has("checkpoint")) {
            mapped.checkpoint(batches(step, "checkpoint"));
        }
        if (step.has("snapshots")) {
            streams.put(step.get("snapshots").textValue(), records(mapped.stateSnapshots()));
        }
        return mapped.map(record -> (Object) record);
    }
}
