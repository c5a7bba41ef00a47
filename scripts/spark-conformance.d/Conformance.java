import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaSparkContext;

/** Runs files of programs on Spark Streaming and records every batch of every output. */
final class Conformance {
    public static void main(String[] arguments) throws IOException, InterruptedException {
        if (arguments.length < 3) {
            System.err.println("usage: Conformance PROGRAMS ANSWERS SCRATCH [NAME...]");
            System.exit(2);
        }
        // Before Spark's first use of the console, which it remembers.
        System.setOut(new PrintStream(Answers.PRINTED, true, StandardCharsets.UTF_8));
        List<String> wanted = List.of(arguments).subList(3, arguments.length);
        try (JavaSparkContext spark = new JavaSparkContext(configuration()); Stream<Path> files = Files.list(Path.of(arguments[0]))) {
            for (Path file : files.filter(path -> path.toString().endsWith(".json")).sorted().toList()) {
                record(spark, file, Path.of(arguments[1]).resolve(file.getFileName()), Path.of(arguments[2]), wanted);
            }
        }
    }

    private static SparkConf configuration() {
        return new SparkConf()
            .setMaster("local[2]")
            .setAppName("conformance")
            .set("spark.ui.enabled", "false")
            .set("spark.log.level", "WARN")
            .set("spark.default.parallelism", "2")
            .set("spark.streaming.clock", "org.apache.spark.util.ManualClock")
            .set("spark.streaming.stopSparkContextByDefault", "false")
            .set("spark.driver.host", "127.0.0.1")
            .set("spark.driver.bindAddress", "127.0.0.1");
    }

    private static void record(JavaSparkContext spark, Path programs, Path answers, Path scratch, List<String> wanted) throws IOException, InterruptedException {
        ObjectMapper json = new ObjectMapper();
        ObjectNode recorded = json.createObjectNode();
        for (JsonNode program : json.readTree(programs.toFile())) {
            String name = program.get("name").textValue();
            if (!wanted.isEmpty() && !wanted.contains(name)) {
                continue;
            }
            long started = System.nanoTime();
            Path own = Files.createDirectories(scratch.resolve(name));
            recorded.set(name, new Run(program, own).answers(spark));
            System.err.printf("%6d ms  %s%n", (System.nanoTime() - started) / 1_000_000, name);
        }
        if (wanted.isEmpty()) {
            Files.writeString(answers, Layout.text(recorded));
        } else {
            System.err.print(Layout.text(recorded));
        }
    }
}
