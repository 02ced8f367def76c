import java.io.*;
import java.nio.charset.StandardCharsets;
import java.util.*;
import org.verapdf.gf.foundry.VeraGreenfieldFoundryProvider;
import org.verapdf.pdfa.*;
import org.verapdf.pdfa.flavours.PDFAFlavour;
import org.verapdf.pdfa.results.ValidationResult;

/**
 * Counts the violations of a PDF/A flavour with veraPDF; one JSON line a file, see judge.go.
 * Each line of the input is a file and a flavour, which is empty for the one that it claims.
 */
public class Judge {
    public static void main(String[] args) throws Exception {
        VeraGreenfieldFoundryProvider.initialise();
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = in.readLine()) != null; ) {
            String[] order = line.split("\t", -1);
            try {
                System.out.println(judge(order[0], order[1]));
            } catch (Throwable e) { // what a hostile file does to a judge is an answer too
                System.out.println("{\"file\":" + quote(order[0]) + ",\"error\":" + quote(String.valueOf(e)) + "}");
            }
        }
    }

    static String judge(String file, String wanted) throws Exception {
        try (var in = new FileInputStream(file);
                PDFAParser parser = wanted.isEmpty() ? Foundries.defaultInstance().createParser(in)
                        : Foundries.defaultInstance().createParser(in, PDFAFlavour.fromString(wanted))) {
            PDFAFlavour flavour = parser.getFlavour();
            var violations = new StringJoiner(",", "{", "}");
            try (PDFAValidator v = Foundries.defaultInstance().createValidator(flavour, false)) {
                ValidationResult r = v.validate(parser);
                r.getFailedChecks().forEach((rule, n) -> violations.add(quote(rule.getClause() + "-" + rule.getTestNumber()) + ":" + n));
            }
            return "{\"file\":" + quote(file) + ",\"flavour\":" + quote(flavour.getId()) + ",\"violations\":" + violations + "}";
        }
    }

    static String quote(String s) {
        return "\"" + s.replace("\\", "\\\\").replace("\"", "\\\"").replaceAll("\\p{Cntrl}", " ") + "\"";
    }
}
