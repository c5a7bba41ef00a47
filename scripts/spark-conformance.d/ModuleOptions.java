/** Prints the options without which Spark does not run on this Java, as Spark itself knows them. */
final class ModuleOptions {
    public static void main(String[] arguments) {
        System.out.println(org.apache.spark.launcher.JavaModuleOptions.defaultModuleOptions());
    }
}
