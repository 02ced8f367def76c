package signing

// CleanName is tested by fuzzing, away from the database.
var CleanName = cleanName
