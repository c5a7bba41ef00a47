import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.streaming.Duration;
import org.apache.spark.streaming.Time;
import org.apache.spark.streaming.api.java.JavaDStream;
import org.apache.spark.streaming.api.java.JavaStreamingContext;
import org.apache.spark.streaming.scheduler.StreamingListener;
import org.apache.spark.streaming.scheduler.StreamingListenerBatchCompleted;
import org.apache.spark.util.ManualClock;

/** One program, batch by batch on Spark's manual clock. */
final class Run {
    private static final long PATIENCE_S = 60;
    private static final ObjectMapper JSON = new ObjectMapper();

    private final JsonNode program;
    private final Path scratch;
    private final ObjectNode answers = JSON.createObjectNode();
    private final LinkedBlockingQueue<Long> completed = new LinkedBlockingQueue<>();
    private final ArrayNode completedBatches = JSON.createArrayNode();
    private Job job;

    Run(JsonNode program, Path scratch) {
        this.program = program;
        this.scratch = scratch;
    }

    ObjectNode answers(JavaSparkContext spark) throws IOException, InterruptedException {
        Answers.clear();
        JavaStreamingContext context = new JavaStreamingContext(spark, new Duration(Job.BATCH_MS));
        try {
            if (start(context)) {
                run(context);
                files();
            }
        } finally {
            context.stop(false, false);
        }
        return answers;
    }

    /** False when Spark refuses the job. */
    private boolean start(JavaStreamingContext context) {
        context.checkpoint(scratch.resolve("checkpoint").toUri().toString());
        if (program.has("remember")) {
            context.remember(new Duration(program.get("remember").longValue() * Job.BATCH_MS));
        }
        try {
            job = new Job(context, program);
            for (JsonNode output : program.get("outputs")) {
                output(output);
            }
            if (!listsCompleted() && program.get("outputs").size() > 0) {
                heartbeat();
            }
            context.addStreamingListener(new StreamingListener() {
                @Override
                public void onBatchCompleted(StreamingListenerBatchCompleted event) {
                    completed.add(event.batchInfo().batchTime().milliseconds() / Job.BATCH_MS);
                }
            });
            context.start();
            return true;
        } catch (Exception refusal) {
            if (refusal instanceof IllegalStateException) {
                throw (IllegalStateException) refusal;
            }
            // Addresses of objects are other ones at each run.
            answers.put("refused", String.valueOf(refusal.getMessage()).replaceAll("@[0-9a-f]+", ""));
            return false;
        }
    }

    /**
     * Outputs with nothing to do, after all others, one for each input. With them every batch has a job, so that its end can be
     * awaited; and every batch takes its records from the queue, also one that is in no window.
     */
    private void heartbeat() {
        for (int number = 0; number < program.get("inputs").size(); number++) {
            job.stream(String.valueOf((char) ('a' + number))).foreachRDD(records -> {});
        }
    }

    private boolean listsCompleted() {
        return program.path("list_completed").asBoolean();
    }

    private void output(JsonNode output) {
        String name = output.get("of").textValue();
        JavaDStream<Object> stream = job.stream(name);
        switch (output.get("output").textValue()) {
            case "collect":
                stream.foreachRDD((records, time) -> Answers.collect(name, records, time.milliseconds() / Job.BATCH_MS));
                break;
            case "print":
                stream.print(output.get("records").intValue());
                break;
            case "save_as_text_files":
                stream.dstream().saveAsTextFiles(scratch.resolve(output.get("prefix").textValue()).toString(), output.path("suffix").asText(null));
                break;
            case "slice":
                // Asked for from outside, once the batch is done.
                break;
            default:
                throw new IllegalStateException("unknown output " + output);
        }
    }

    private void run(JavaStreamingContext context) throws InterruptedException {
        ManualClock clock = (ManualClock) context.ssc().scheduler().clock();
        long batches = program.get("batches").longValue();
        ArrayNode printed = JSON.createArrayNode();
        for (long batch = 1; batch <= batches; batch++) {
            clock.advance(Job.BATCH_MS);
            if (!listsCompleted()) {
                await(batch);
                printed.add(Answers.takePrinted());
                slices(batch);
            }
        }
        if (listsCompleted()) {
            await(batches);
            answers.set("completed", completedBatches);
        }
        collected(batches);
        if (has("print")) {
            answers.set("printed", printed);
        }
    }

    private void await(long batch) throws InterruptedException {
        Long done;
        do {
            done = completed.poll(PATIENCE_S, TimeUnit.SECONDS);
            if (done == null) {
                throw new IllegalStateException("batch " + batch + " was not done within " + PATIENCE_S + " s");
            }
            completedBatches.add(done);
        } while (done != batch);
    }

    private boolean has(String kind) {
        for (JsonNode output : program.get("outputs")) {
            if (output.get("output").textValue().equals(kind)) {
                return true;
            }
        }
        return false;
    }

    private void collected(long batches) {
        ObjectNode streams = JSON.createObjectNode();
        for (JsonNode output : program.get("outputs")) {
            if (output.get("output").textValue().equals("collect")) {
                ArrayNode answers = streams.putArray(output.get("of").textValue());
                for (long batch = 1; batch <= batches; batch++) {
                    answers.addPOJO(Answers.collected(output.get("of").textValue(), batch));
                }
            }
        }
        if (!streams.isEmpty()) {
            answers.set("collected", streams);
        }
    }

    private void slices(long batch) {
        for (JsonNode output : program.get("outputs")) {
            if (!output.get("output").textValue().equals("slice") || output.get("after").longValue() != batch) {
                continue;
            }
            ArrayNode sliced = answers.withArrayProperty("sliced").addArray();
            Time from = new Time(output.get("from").longValue() * Job.BATCH_MS);
            Time to = new Time(output.get("to").longValue() * Job.BATCH_MS);
            for (Object records : job.stream(output.get("of").textValue()).slice(from, to)) {
                sliced.addPOJO(Records.show(((org.apache.spark.api.java.JavaRDD<?>) records).collect()));
            }
        }
    }

    /** Every file that the program wrote: directory, name, lines. */
    private void files() throws IOException {
        if (!has("save_as_text_files")) {
            return;
        }
        ObjectNode directories = answers.putObject("files");
        for (Path directory : sorted(scratch)) {
            String name = directory.getFileName().toString();
            if (name.equals("checkpoint")) {
                continue;
            }
            ObjectNode files = directories.putObject(name);
            for (Path file : sorted(directory)) {
                // Checksums of Hadoop's file system.
                if (!file.getFileName().toString().endsWith(".crc")) {
                    files.putPOJO(file.getFileName().toString(), Files.readAllLines(file));
                }
            }
        }
    }

    private static List<Path> sorted(Path directory) throws IOException {
        try (Stream<Path> entries = Files.list(directory)) {
            return entries.sorted().toList();
        }
    }
}
