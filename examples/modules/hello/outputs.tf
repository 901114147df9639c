output "greeting" {
  description = "The greeting."
  value       = terraform_data.greeting.output
}
